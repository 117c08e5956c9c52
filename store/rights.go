package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// RedisRights are the rights the service's Redis user needs, in ACL syntax. The error at start
// prints this line; deploy/redis/users.acl and docs/redis.md repeat it. It grants commands by
// category, so that upgrades rarely need a change; the key patterns limit their reach.
const RedisRights = "resetkeys ~ix:* ~asynq:* resetchannels &{ix:* &asynq:cancel " +
	"-@all +@read +@write +@connection -@dangerous " +
	"+eval +evalsha +time +multi +exec +discard +publish +subscribe +unsubscribe " +
	"+info +cluster|slots +cluster|info +cluster|keyslot"

// RedisUser is the name of the service's user in RedisACL.
const RedisUser = "icims-export"

// RedisACL returns an ACL file for a Redis that serves only icims-export. It contains the hash of
// the password, so it need not be secret if the password is random. The user health needs no
// password and can only ping, for health checks.
func RedisACL(password Secret) string {
	return "user default off\n" +
		"user health on nopass resetkeys resetchannels -@all +ping\n" +
		"user " + RedisUser + " on " + RedisPasswordHash(password) + " " + RedisRights + "\n"
}

// RedisPasswordHash returns the password as written in an ACL file.
func RedisPasswordHash(password Secret) string {
	sum := sha256.Sum256([]byte(password))
	return "#" + hex.EncodeToString(sum[:])
}

// Commands are checked on one of our keys and one of asynq's, with arguments in which Redis can
// find the keys. They are not executed.
var (
	neededOnKeys = strings.Fields(`
		append=K,a del=K exists=K expire=K,1 expireat=K,1 get=K getrange=K,0,4 hdel=K,a hexists=K,a hget=K,a hgetall=K hincrby=K,a,1 hkeys=K
		hlen=K hmget=K,a hscan=K,0 hset=K,a,b hsetnx=K,a,b hvals=K incr=K lindex=K,0 llen=K lpush=K,a lrange=K,0,1 lrem=K,0,a
		lset=K,0,a ltrim=K,0,1 persist=K pexpire=K,1 rpop=K rpoplpush=K,K rpush=K,a sadd=K,a set=K,a setex=K,1,a
		sismember=K,a smembers=K smismember=K,a srem=K,a strlen=K ttl=K unlink=K xadd=K,*,a,b xlen=K xrange=K,-,+
		xrevrange=K,+,- zadd=K,1,a zcard=K zcount=K,0,1 zmscore=K,a zrange=K,0,1 zrangebyscore=K,0,1 zrem=K,a
		zremrangebyrank=K,0,1 zremrangebyscore=K,0,1 zrevrange=K,0,1 zrevrangebyscore=K,1,0 zscan=K,0 zscore=K,a`)
	neededOnChannels = []string{"publish=K,a", "subscribe=K"}
	neededAnywhere   = []string{"evalsha=a,0", "time", "multi", "exec", "scan=0", "echo=a"}
	// INFO, MEMORY USAGE and CONFIG GET are optional: without them, their values are reported as
	// unknown.

	keyTargets     = []string{keyRoot + "*", "asynq:*"}
	channelTargets = []string{lanesChannel, connectionsChannel, "asynq:cancel"}
)

// rightsScript returns which commands in ARGV the user may not run. It leaves out commands the
// server does not know. It returns false on Redis before 7.0, which cannot check rights.
var rightsScript = redis.NewScript(`
if not redis.acl_check_cmd then return false end
local missing = {}
for i, command in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(command, '%S+') do table.insert(words, word) end
  local known, allowed = pcall(redis.acl_check_cmd, unpack(words))
  missing[#missing + 1] = known and not allowed and command or nil
end
return missing
`)

// RightsError means the Redis user lacks rights.
type RightsError struct {
	User    string
	Missing []string // such as "keys ix:*"
}

func (e *RightsError) Error() string {
	return fmt.Sprintf("the Redis user %s lacks rights: %s. Grant them as a Redis administrator: %s", e.User, strings.Join(e.Missing, "; "), e.Grant())
}

// Grant returns the command that grants the rights.
func (e *RightsError) Grant() string { return grantTo(e.User) }

func grantTo(user string) string { return "ACL SETUSER " + user + " " + RedisRights }

// CheckRights returns a *RightsError if the Redis user lacks rights, on any master of a cluster. It
// only runs a read-only script. A server that cannot check rights, such as Redis 6, passes.
func (l *Checks) CheckRights(ctx context.Context) error {
	cluster, ok := l.redis.(*redis.ClusterClient)
	if !ok {
		return checkRights(ctx, l.redis, userOf(l.redis))
	}
	var (
		mu      sync.Mutex
		refused error
	)
	_ = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { // ignore a node that is down
		if err := checkRights(ctx, node, userOf(cluster)); err != nil {
			mu.Lock()
			defer mu.Unlock()
			refused = err
		}
		return nil
	})
	return refused
}

// userOf returns the user name the client logs in with.
func userOf(client redis.UniversalClient) string {
	name := ""
	switch c := client.(type) {
	case *redis.Client:
		name = c.Options().Username
	case *redis.ClusterClient:
		name = c.Options().Username
	}
	if name == "" {
		return "default"
	}
	return name
}

func checkRights(ctx context.Context, client redis.Cmdable, user string) error {
	keys, channels, anywhere := commandsOn(neededOnKeys, keyTargets), commandsOn(neededOnChannels, channelTargets), commandsOn(neededAnywhere, []string{""})
	answer, err := rightsScript.Eval(ctx, client, nil, slices.Concat(keys, channels, anywhere)).StringSlice()
	switch {
	case TroubleOf(err) == TroubleForbidden:
		return &RightsError{User: user, Missing: []string{"the command EVAL"}}
	case err != nil:
		return nil //nolint:nilerr // cannot be checked, or is unreachable, which the next command reports
	}
	refused := make(map[string]bool, len(answer))
	for _, command := range answer {
		refused[command] = true
	}
	missing := slices.Concat(
		refusedOn(refused, "keys", neededOnKeys, keyTargets),
		refusedOn(refused, "channel", neededOnChannels, channelTargets),
		refusedOn(refused, "", neededAnywhere, []string{""}))
	if len(missing) == 0 {
		return nil
	}
	return &RightsError{User: user, Missing: missing}
}

// commandOn returns a needed command with its arguments, for one of the targets.
func commandOn(needed, target string) string {
	name, args, _ := strings.Cut(needed, "=")
	example := strings.Replace(target, "*", "{rights}", 1)
	return strings.TrimSpace(name + " " + strings.ReplaceAll(strings.ReplaceAll(args, "K", example), ",", " "))
}

func commandsOn(needed, targets []string) []any {
	all := make([]any, 0, len(needed)*len(targets))
	for _, target := range targets {
		for _, command := range needed {
			all = append(all, commandOn(command, target))
		}
	}
	return all
}

// refusedOn returns what is refused: targets on which no command is permitted, and the single
// commands on the other targets. Commands refused on all targets appear once.
func refusedOn(refused map[string]bool, kind string, needed, targets []string) []string {
	var missing []string
	seen := map[string]bool{}
	for _, target := range targets {
		var commands []string
		for _, command := range needed {
			if refused[commandOn(command, target)] {
				name, _, _ := strings.Cut(command, "=")
				commands = append(commands, strings.ToUpper(name))
			}
		}
		text := strings.Join(commands, ", ")
		switch {
		case text == "" || seen[text]:
			continue
		case len(commands) == len(needed) && kind != "":
			missing = append(missing, kind+" "+target)
			continue
		}
		seen[text] = true
		missing = append(missing, "the commands "+text)
	}
	return missing
}

// NeededCommands returns the names of the commands CheckRights checks.
func NeededCommands() []string {
	commands := slices.Concat(neededOnKeys, neededOnChannels, neededAnywhere)
	names := append(make([]string, 0, len(commands)+1), "eval")
	for _, command := range commands {
		name, _, _ := strings.Cut(command, "=")
		names = append(names, name)
	}
	return names
}
