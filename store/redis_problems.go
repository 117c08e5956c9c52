package store

// RedisProblem is a problem with Redis, from a closed list, for metrics and error messages.
type RedisProblem string

// The problems.
const (
	TroubleUnreachable       RedisProblem = "unreachable"        // no connection
	TroubleClosed            RedisProblem = "connection_closed"  // Redis closes connections without a reply
	TroubleName              RedisProblem = "unknown_host"       // no such host
	TroubleSlow              RedisProblem = "timeout"            // no reply in time
	TroubleTLS               RedisProblem = "tls"                // no TLS, or no common version
	TroubleAuthority         RedisProblem = "unknown_authority"  // certificate of an unknown authority
	TroubleCertificate       RedisProblem = "certificate"        // certificate expired, or for another name
	TroubleClientCertificate RedisProblem = "client_certificate" // Redis requires a client certificate
	TroubleLogin             RedisProblem = "login"              // user name or password rejected
	TroubleProtected         RedisProblem = "protected_mode"     // Redis accepts only local connections
	TroubleClients           RedisProblem = "max_clients"        // Redis has no connections left
	TroubleDatabase          RedisProblem = "wrong_database"     // no database with this number
	TroubleKind              RedisProblem = "wrong_kind"         // single, Sentinel or cluster
	TroubleMaster            RedisProblem = "unknown_master"     // Sentinel does not know the name
	TroubleForbidden         RedisProblem = "forbidden"          // the user lacks rights
	TroubleCommand           RedisProblem = "unknown_command"    // renamed, disabled, or too new
	TroubleLoading           RedisProblem = "loading"            // Redis has just started
	TroubleBusy              RedisProblem = "busy"               // a script blocks Redis
	TroubleFull              RedisProblem = "out_of_memory"      // memory is full and noeviction is set
	TroubleReadOnly          RedisProblem = "read_only"          // a replica
	TroubleDisk              RedisProblem = "disk"               // Redis cannot persist
	TroubleReplicas          RedisProblem = "replicas"           // too few replicas
	TroubleCluster           RedisProblem = "cluster_down"       // a part of the cluster is missing
	TroubleAborted           RedisProblem = "transaction"        // a command of the transaction was rejected
	TroubleOther             RedisProblem = "other"
)

// troubles explains each problem. The prefixes are the beginnings of Redis's errors; the first
// match counts. passes marks problems that may end without a change of settings.
var troubles = []struct {
	trouble  RedisProblem
	passes   bool
	prefixes []string
	info     ReasonInfo
}{
	{TroubleUnreachable, true, nil, ReasonInfo{"Redis cannot be reached", "Start Redis, correct ICIMS_EXPORT_REDIS_URL, or check the network."}},
	{TroubleClosed, true, nil, ReasonInfo{"Redis closes the connection without a response", "If Redis expects TLS, use rediss:// in ICIMS_EXPORT_REDIS_URL. Otherwise check its log."}},
	{TroubleName, false, nil, ReasonInfo{"Redis's host name cannot be resolved", "Correct the host in ICIMS_EXPORT_REDIS_URL, or check DNS."}},
	{TroubleSlow, true, nil, ReasonInfo{"Redis does not answer in time", "Check Redis's load, its slow commands (SLOWLOG GET) and the network."}},
	{TroubleTLS, false, nil, ReasonInfo{"Redis does not use TLS on this port", "Use Redis's TLS port, or redis:// instead of rediss:// in ICIMS_EXPORT_REDIS_URL."}},
	{TroubleAuthority, false, nil, ReasonInfo{"Redis's certificate is signed by an unknown authority", "Set ICIMS_EXPORT_REDIS_CA_FILE to the authority's certificate (PEM)."}},
	{TroubleCertificate, false, nil, ReasonInfo{"Redis's certificate is not valid", "Renew it, or use the host name in the certificate in ICIMS_EXPORT_REDIS_URL."}},
	{TroubleClientCertificate, false, nil, ReasonInfo{"Redis asks for a client certificate", "Set tls-auth-clients no in Redis's configuration and use a password. Client certificates are not supported."}},
	{TroubleLogin, false, []string{"NOAUTH", "WRONGPASS", "ERR AUTH", "ERR invalid password", "ERR invalid username"}, ReasonInfo{"Redis refuses the user name or password", "Correct them in ICIMS_EXPORT_REDIS_URL or ICIMS_EXPORT_REDIS_PASSWORD_FILE."}},
	{TroubleProtected, false, []string{"DENIED"}, ReasonInfo{"Redis accepts no connections from other machines: it is in protected mode", "Set a password for Redis (requirepass, or a user with an ACL) and put it into ICIMS_EXPORT_REDIS_URL."}},
	{TroubleClients, true, []string{"ERR max number of clients", "max number of clients"}, ReasonInfo{"Redis has no connections left", "Raise maxclients, or close unused connections (CLIENT LIST)."}},
	{TroubleDatabase, false, []string{"ERR DB index", "ERR invalid DB index", "ERR SELECT is not allowed"}, ReasonInfo{"Redis has no database with this number", "Correct the number at the end of ICIMS_EXPORT_REDIS_URL, or raise databases in Redis's configuration."}},
	{TroubleKind, false, []string{"MOVED", "ERR This instance has cluster support disabled", "ERR unknown command 'sentinel'"}, ReasonInfo{"Redis is not of the kind in ICIMS_EXPORT_REDIS_URL", "Use redis:// for a single server, redis+sentinel:// for Sentinel, redis+cluster:// for a cluster."}},
	{TroubleMaster, false, []string{"ERR No such master"}, ReasonInfo{"Sentinel knows no master with this name", "Correct the master's name in ICIMS_EXPORT_REDIS_URL (SENTINEL MASTERS lists the names)."}},
	{TroubleForbidden, false, []string{"NOPERM", "ERR The user executing the script"}, ReasonInfo{"The Redis user lacks rights", "Grant the user its rights as a Redis administrator: " + grantTo(unknownUser)}},
	{TroubleCommand, false, []string{"ERR unknown command", "ERR unknown subcommand", "ERR Unknown Redis command"}, ReasonInfo{"A command is unknown to Redis or disabled", "Allow the command. docs/redis.md lists the required commands."}},
	{TroubleLoading, true, []string{"LOADING", "MASTERDOWN"}, ReasonInfo{"Redis is still loading its data", "No action needed, unless this persists."}},
	{TroubleBusy, true, []string{"BUSY ", "UNKILLABLE"}, ReasonInfo{"Redis is blocked by a script", "Wait until the script ends. SCRIPT KILL ends a script that has not written yet."}},
	{TroubleFull, true, []string{"OOM"}, ReasonInfo{"Redis accepts no writes: its memory is full", "Raise maxmemory, or free memory. Nothing was evicted or lost."}},
	{TroubleReadOnly, true, []string{"READONLY"}, ReasonInfo{"Redis accepts no writes: it is a read-only replica", "Point ICIMS_EXPORT_REDIS_URL at the master, or wait for the failover to end."}},
	{TroubleDisk, true, []string{"MISCONF"}, ReasonInfo{"Redis accepts no writes: it cannot persist them", "Check Redis's log and free disk space."}},
	{TroubleReplicas, true, []string{"NOREPLICAS"}, ReasonInfo{"Redis accepts no writes: too few replicas follow it", "Start the replicas, or lower min-replicas-to-write."}},
	{TroubleCluster, true, []string{"CLUSTERDOWN", "TRYAGAIN"}, ReasonInfo{"A part of the Redis cluster is missing", "Start the missing nodes, or promote replicas."}},
	{TroubleAborted, true, []string{"EXECABORT"}, ReasonInfo{"Redis refused part of a transaction", "Its memory may be full, or it may be a replica. Check its log."}},
	{TroubleOther, false, nil, ReasonInfo{"Redis refuses a command", "Check the logs of this process and of Redis."}},
}

// Troubles lists all problems.
func Troubles() []RedisProblem {
	all := make([]RedisProblem, len(troubles))
	for i, t := range troubles {
		all[i] = t.trouble
	}
	return all
}

// Info explains the problem.
func (t RedisProblem) Info() ReasonInfo {
	for _, known := range troubles {
		if known.trouble == t {
			return known.info
		}
	}
	return TroubleOther.Info()
}

// Passes reports whether the problem may end without a change of our settings, so that the same
// command may succeed later.
func (t RedisProblem) Passes() bool {
	for _, known := range troubles {
		if known.trouble == t {
			return known.passes
		}
	}
	return false
}

// Answers reports whether Redis still answers reads.
func (t RedisProblem) Answers() bool {
	switch t {
	case TroubleFull, TroubleReadOnly, TroubleDisk, TroubleReplicas, TroubleForbidden, TroubleCommand, TroubleOther:
		return true
	default:
		return false
	}
}
