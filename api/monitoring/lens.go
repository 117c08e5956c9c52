package monitoring

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// lens is the Redis client that asynqmon looks through: it shows our queues alone, and a
// task that has lost its hash does not hide all others.
type lens struct{ redis.UniversalClient }

// Close leaves the client open: it is not the web UI's.
func (lens) Close() error { return nil }

// allQueues is the set of all queues' names.
const allQueues = "asynq:queues"

// SMembers is how asynq lists its queues.
func (l lens) SMembers(ctx context.Context, key string) *redis.StringSliceCmd {
	all := l.UniversalClient.SMembers(ctx, key)
	if key != allQueues || all.Err() != nil {
		return all
	}
	all.SetVal(slices.DeleteFunc(slices.Sorted(slices.Values(all.Val())), func(name string) bool { return !isQueue.MatchString(name) }))
	return all
}

// memoryUsage estimates what a queue takes, as asynq's script does: from the size of a few
// tasks of each list. That one stops at the first task that has lost its hash, and with it
// the list of all queues (asynqmon #317). Where MEMORY is forbidden the estimate is 0.
var memoryUsage = redis.NewScript(`
local total = 0
local function usage(key)
  local answer = redis.pcall('MEMORY', 'USAGE', key)
  return type(answer) == 'number' and answer or nil
end
local function add(key, ids, count)
  local sum, seen = 0, 0
  for _, id in ipairs(ids) do
    local bytes = usage(ARGV[1] .. id)
    sum, seen = sum + (bytes or 0), seen + (bytes and 1 or 0)
  end
  total = total + sum / math.max(seen, 1) * count + (usage(key) or 0)
end
for i, key in ipairs(KEYS) do
  local list = i <= 2
  add(key, redis.call(list and 'LRANGE' or 'ZRANGE', key, 0, 4), redis.call(list and 'LLEN' or 'ZCARD', key))
end
return math.floor(total)`)

// EvalSha runs a script of asynq's, or ours in place of the one for memory.
func (l lens) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if len(keys) == 7 && strings.HasSuffix(keys[0], ":active") && strings.HasSuffix(keys[6], ":groups") && len(args) == 4 {
		return memoryUsage.Run(ctx, l.UniversalClient, keys[:6], args[0])
	}
	return l.UniversalClient.EvalSha(ctx, sha, keys, args...)
}
