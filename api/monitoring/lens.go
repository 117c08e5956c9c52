package monitoring

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// queueFilter is the Redis client of asynqmon. It shows only icims-export's queues, and keeps a task
// without its hash from hiding the others.
type queueFilter struct{ redis.UniversalClient }

// Close does not close the client, which is shared.
func (queueFilter) Close() error { return nil }

// allQueues is the set of queue names.
const allQueues = "asynq:queues"

// SMembers lists the queues, as asynq does.
func (l queueFilter) SMembers(ctx context.Context, key string) *redis.StringSliceCmd {
	all := l.UniversalClient.SMembers(ctx, key)
	if key != allQueues || all.Err() != nil {
		return all
	}
	all.SetVal(slices.DeleteFunc(slices.Sorted(slices.Values(all.Val())), func(name string) bool { return !isQueue.MatchString(name) }))
	return all
}

// memoryUsage estimates a queue's memory, as asynq's script does, from the size of a few tasks of
// each list. asynq's script fails at the first task without its hash, and with it the list of all
// queues (asynqmon #317). Without the MEMORY command the estimate is 0.
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

// EvalSha runs asynq's script, or memoryUsage in place of asynq's.
func (l queueFilter) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if len(keys) == 7 && strings.HasSuffix(keys[0], ":active") && strings.HasSuffix(keys[6], ":groups") && len(args) == 4 {
		return memoryUsage.Run(ctx, l.UniversalClient, keys[:6], args[0])
	}
	return l.UniversalClient.EvalSha(ctx, sha, keys, args...)
}
