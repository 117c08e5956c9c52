package store

// Trouble is what is wrong with Redis, of a closed list: for metrics, and for
// whoever has to mend it.
type Trouble string

// The troubles.
const (
	TroubleUnreachable       Trouble = "unreachable"        // no connection
	TroubleClosed            Trouble = "connection_closed"  // it closes connections without an answer
	TroubleName              Trouble = "unknown_host"       // no such name
	TroubleSlow              Trouble = "timeout"            // no answer in time
	TroubleTLS               Trouble = "tls"                // no TLS spoken there, or none that fits
	TroubleAuthority         Trouble = "unknown_authority"  // of its certificate
	TroubleCertificate       Trouble = "certificate"        // expired, or for another name
	TroubleClientCertificate Trouble = "client_certificate" // it asks for one
	TroubleLogin             Trouble = "login"              // user name or password refused
	TroubleProtected         Trouble = "protected_mode"     // it takes local connections only
	TroubleClients           Trouble = "max_clients"        // it has no connections left
	TroubleDatabase          Trouble = "wrong_database"     // no database with this number
	TroubleKind              Trouble = "wrong_kind"         // of Redis: single, Sentinel or cluster
	TroubleMaster            Trouble = "unknown_master"     // Sentinel does not know the name
	TroubleForbidden         Trouble = "forbidden"          // the user may not do this
	TroubleCommand           Trouble = "unknown_command"    // renamed, disabled, or too new
	TroubleLoading           Trouble = "loading"            // it has just started
	TroubleBusy              Trouble = "busy"               // a script blocks it
	TroubleFull              Trouble = "out_of_memory"      // and evicts nothing, as it should
	TroubleReadOnly          Trouble = "read_only"          // a replica
	TroubleDisk              Trouble = "disk"               // it cannot persist
	TroubleReplicas          Trouble = "replicas"           // too few follow it
	TroubleCluster           Trouble = "cluster_down"       // a part of the cluster is missing
	TroubleAborted           Trouble = "transaction"        // one of its commands was refused
	TroubleOther             Trouble = "other"
)

// troubles explain each trouble. The prefixes begin Redis's own errors; the first that
// fits counts. passes marks troubles that may end without a change of the settings.
var troubles = []struct {
	trouble  Trouble
	passes   bool
	prefixes []string
	info     ReasonInfo
}{
	{TroubleUnreachable, true, nil, ReasonInfo{"Redis cannot be reached", "Start it, or correct ICIMS_EXPORT_REDIS_URL, or check the network in between."}},
	{TroubleClosed, true, nil, ReasonInfo{"Redis closes the connection without an answer", "If it expects TLS, write rediss:// in ICIMS_EXPORT_REDIS_URL. Otherwise its log says why."}},
	{TroubleName, false, nil, ReasonInfo{"Redis's host name is not known", "Correct the host in ICIMS_EXPORT_REDIS_URL, or check the name server."}},
	{TroubleSlow, true, nil, ReasonInfo{"Redis does not answer in time", "Check its load, its slow commands (SLOWLOG GET), and the network in between."}},
	{TroubleTLS, false, nil, ReasonInfo{"Redis does not speak TLS at this port", "Use its TLS port, or write redis:// instead of rediss:// in ICIMS_EXPORT_REDIS_URL."}},
	{TroubleAuthority, false, nil, ReasonInfo{"Redis's certificate is of an unknown authority", "Name the authority's certificate (PEM) with ICIMS_EXPORT_REDIS_CA_FILE."}},
	{TroubleCertificate, false, nil, ReasonInfo{"Redis's certificate is not valid", "Renew it, or use the host name that it is made out to in ICIMS_EXPORT_REDIS_URL."}},
	{TroubleClientCertificate, false, nil, ReasonInfo{"Redis asks for a client certificate", "Set tls-auth-clients no in its configuration. Client certificates are not supported; use a password."}},
	{TroubleLogin, false, []string{"NOAUTH", "WRONGPASS", "ERR AUTH", "ERR invalid password", "ERR invalid username"}, ReasonInfo{"Redis refuses the user name or password", "Correct them in ICIMS_EXPORT_REDIS_URL or ICIMS_EXPORT_REDIS_PASSWORD_FILE."}},
	{TroubleProtected, false, []string{"DENIED"}, ReasonInfo{"Redis takes no connections from other machines: it is in protected mode", "Set a password for Redis (requirepass, or a user with an ACL) and put it into ICIMS_EXPORT_REDIS_URL."}},
	{TroubleClients, true, []string{"ERR max number of clients", "max number of clients"}, ReasonInfo{"Redis has no connections left", "Raise its maxclients, or close connections that nobody uses (CLIENT LIST)."}},
	{TroubleDatabase, false, []string{"ERR DB index", "ERR invalid DB index", "ERR SELECT is not allowed"}, ReasonInfo{"Redis has no database with this number", "Correct the number at the end of ICIMS_EXPORT_REDIS_URL, or raise databases in Redis's configuration."}},
	{TroubleKind, false, []string{"MOVED", "ERR This instance has cluster support disabled", "ERR unknown command 'sentinel'"}, ReasonInfo{"Redis is of another kind than ICIMS_EXPORT_REDIS_URL says", "Write redis:// for a single server, redis+sentinel:// for Sentinels, redis+cluster:// for a cluster."}},
	{TroubleMaster, false, []string{"ERR No such master"}, ReasonInfo{"Sentinel knows no master of this name", "Correct the name behind the hosts in ICIMS_EXPORT_REDIS_URL (SENTINEL MASTERS lists the names)."}},
	{TroubleForbidden, false, []string{"NOPERM", "ERR The user executing the script"}, ReasonInfo{"Redis forbids this user what the service needs", "Give the user the rights it needs, as an administrator of Redis: " + grantTo(someUser)}},
	{TroubleCommand, false, []string{"ERR unknown command", "ERR unknown subcommand", "ERR Unknown Redis command"}, ReasonInfo{"Redis does not know a command, or it is disabled there", "Allow the command. docs/redis.md lists what is needed."}},
	{TroubleLoading, true, []string{"LOADING", "MASTERDOWN"}, ReasonInfo{"Redis is still loading its data", "Nothing to do, unless it lasts."}},
	{TroubleBusy, true, []string{"BUSY ", "UNKILLABLE"}, ReasonInfo{"Redis is blocked by a script", "Wait until it ends. SCRIPT KILL ends one that has not written yet."}},
	{TroubleFull, true, []string{"OOM"}, ReasonInfo{"Redis takes no writes: its memory is full", "Raise its maxmemory, or free memory. Nothing was evicted, so nothing is lost."}},
	{TroubleReadOnly, true, []string{"READONLY"}, ReasonInfo{"Redis takes no writes: it is a read-only replica", "Point ICIMS_EXPORT_REDIS_URL at the master, or wait for the fail-over to end."}},
	{TroubleDisk, true, []string{"MISCONF"}, ReasonInfo{"Redis takes no writes: it cannot persist them", "Check its log and the free space on its disk."}},
	{TroubleReplicas, true, []string{"NOREPLICAS"}, ReasonInfo{"Redis takes no writes: too few replicas follow it", "Start its replicas, or lower min-replicas-to-write."}},
	{TroubleCluster, true, []string{"CLUSTERDOWN", "TRYAGAIN"}, ReasonInfo{"A part of the Redis cluster is missing", "Start the missing nodes, or let replicas take their place."}},
	{TroubleAborted, true, []string{"EXECABORT"}, ReasonInfo{"Redis refused a part of a transaction", "Its memory may be full, or it may be a replica. Its log says more."}},
	{TroubleOther, false, nil, ReasonInfo{"Redis refuses a command", "Look at the log of this process, and at that of Redis."}},
}

// Troubles lists all troubles.
func Troubles() []Trouble {
	all := make([]Trouble, len(troubles))
	for i, t := range troubles {
		all[i] = t.trouble
	}
	return all
}

// Info explains the trouble.
func (t Trouble) Info() ReasonInfo {
	for _, known := range troubles {
		if known.trouble == t {
			return known.info
		}
	}
	return TroubleOther.Info()
}

// Passes reports whether the trouble may end without a change of our settings, so that
// the same command may work later.
func (t Trouble) Passes() bool {
	for _, known := range troubles {
		if known.trouble == t {
			return known.passes
		}
	}
	return false
}

// Answers reports whether Redis is there and answers, so that reading goes on.
func (t Trouble) Answers() bool {
	switch t {
	case TroubleFull, TroubleReadOnly, TroubleDisk, TroubleReplicas, TroubleForbidden, TroubleCommand, TroubleOther:
		return true
	default:
		return false
	}
}
