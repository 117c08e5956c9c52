package store

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Trouble is what is wrong with Redis, of a closed list: for metrics, and for
// whoever has to mend it.
type Trouble string

// The troubles.
const (
	TroubleUnreachable Trouble = "unreachable"   // no connection, or it broke
	TroubleSlow        Trouble = "timeout"       // no answer in time
	TroubleLogin       Trouble = "login"         // user name or password refused
	TroubleForbidden   Trouble = "forbidden"     // the user may not do this
	TroubleLoading     Trouble = "loading"       // it has just started
	TroubleFull        Trouble = "out_of_memory" // and evicts nothing, as it should
	TroubleReadOnly    Trouble = "read_only"     // a replica
	TroubleDisk        Trouble = "disk"          // it cannot persist
	TroubleReplicas    Trouble = "replicas"      // too few follow it
	TroubleCluster     Trouble = "cluster_down"  // a part of the cluster is missing
	TroubleOther       Trouble = "other"
)

var troubles = []struct {
	trouble  Trouble
	prefixes []string // of Redis's own errors
	info     ReasonInfo
}{
	{TroubleUnreachable, nil, ReasonInfo{"Redis cannot be reached", "Start it, or check its address and the network in between."}},
	{TroubleSlow, nil, ReasonInfo{"Redis does not answer in time", "Look at its load, at slow commands (SLOWLOG GET), and at the network in between."}},
	{TroubleLogin, []string{"NOAUTH", "WRONGPASS", "ERR AUTH"}, ReasonInfo{"Redis refuses the user name or password", "Correct them in ICIMS_EXPORT_REDIS_URL."}},
	{TroubleForbidden, []string{"NOPERM"}, ReasonInfo{"Redis forbids this user what the ledger needs", "Give its user the right to read and write ix:* and asynq:*, and to run scripts."}},
	{TroubleLoading, []string{"LOADING", "MASTERDOWN"}, ReasonInfo{"Redis is still loading its data", "Nothing to do, unless it lasts."}},
	{TroubleFull, []string{"OOM"}, ReasonInfo{"Redis takes no writes: its memory is full", "Raise its maxmemory, or free memory. Nothing was evicted, so nothing is lost."}},
	{TroubleReadOnly, []string{"READONLY"}, ReasonInfo{"Redis takes no writes: it is a read-only replica", "Point ICIMS_EXPORT_REDIS_URL at the master, or wait for the fail-over to end."}},
	{TroubleDisk, []string{"MISCONF"}, ReasonInfo{"Redis takes no writes: it cannot persist them", "Look at its log and at the room on its disk."}},
	{TroubleReplicas, []string{"NOREPLICAS"}, ReasonInfo{"Redis takes no writes: too few replicas follow it", "Start its replicas, or lower min-replicas-to-write."}},
	{TroubleCluster, []string{"CLUSTERDOWN", "TRYAGAIN"}, ReasonInfo{"A part of the Redis cluster is missing", "Start the missing nodes, or let replicas take their place."}},
	{TroubleOther, nil, ReasonInfo{"Redis refuses a command", "Look at the log of this process, and at that of Redis."}},
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

// Answers reports whether Redis is there and answers, so that reading goes on.
func (t Trouble) Answers() bool {
	switch t {
	case TroubleFull, TroubleReadOnly, TroubleDisk, TroubleReplicas, TroubleForbidden, TroubleOther:
		return true
	case TroubleUnreachable, TroubleSlow, TroubleLogin, TroubleLoading, TroubleCluster:
	}
	return false
}

// harmless are answers by which Redis tells something, rather than refuse it.
var harmless = []string{"NOSCRIPT", "MOVED", "ASK", "BUSYGROUP"}

// TroubleOf is what an error of Redis says is wrong with it; empty where nothing is:
// a missing value, a script that it has yet to learn, a caller that gave up.
func TroubleOf(err error) Trouble {
	if err == nil || errors.Is(err, redis.Nil) || errors.Is(err, redis.TxFailedErr) || errors.Is(err, context.Canceled) {
		return ""
	}
	if answered, ok := errors.AsType[redis.Error](err); ok {
		text := answered.Error()
		begins := func(prefix string) bool { return strings.HasPrefix(text, prefix) }
		if slices.ContainsFunc(harmless, begins) {
			return ""
		}
		for _, t := range troubles {
			if slices.ContainsFunc(t.prefixes, begins) {
				return t.trouble
			}
		}
		return TroubleOther
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		if dialling, ok := errors.AsType[*net.OpError](err); ok && dialling.Op == "dial" {
			return TroubleUnreachable
		}
		return TroubleSlow
	}
	return TroubleUnreachable
}
