package worker

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// showGuard is the Redis client behind asynq's servers. Each of them writes every
// five seconds what it works on, for the web UI to show: to a key of its own and to
// two that all servers share. Until that is done it neither hands a task to its
// handler nor extends a lease, so one node of a cluster that hangs would hold up
// the exports of all customers. The guard waits for such a write a second at most;
// after one that fails they are left out for a while.
type showGuard struct {
	redis.UniversalClient
	until *atomic.Int64 // in ms since 1970: they are left out
}

func newShowGuard(client redis.UniversalClient) showGuard {
	return showGuard{client, new(atomic.Int64)}
}

const (
	showTime  = time.Second
	showPause = 30 * time.Second
	// showRoots are what the names of those keys begin with.
	showServers, showWorkers = "asynq:servers", "asynq:workers"
)

// shown reports whether a key is for the web UI alone.
func shown(key string) bool {
	return strings.HasPrefix(key, showServers) || strings.HasPrefix(key, showWorkers)
}

// try writes unless that has lately failed. Failures are not told: nothing depends
// on it.
func (g showGuard) try(ctx context.Context, write func(context.Context) error) {
	if time.Now().UnixMilli() < g.until.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, showTime)
	defer cancel()
	if err := write(ctx); err != nil && !redis.HasErrorPrefix(err, "NOSCRIPT") {
		g.until.Store(time.Now().Add(showPause).UnixMilli())
	}
}

// ZAdd is what servers enter themselves with.
func (g showGuard) ZAdd(ctx context.Context, key string, members ...redis.Z) *redis.IntCmd {
	if !shown(key) {
		return g.UniversalClient.ZAdd(ctx, key, members...)
	}
	g.try(ctx, func(ctx context.Context) error { return g.UniversalClient.ZAdd(ctx, key, members...).Err() })
	return redis.NewIntCmd(ctx)
}

// ZRem is what servers remove themselves with.
func (g showGuard) ZRem(ctx context.Context, key string, members ...any) *redis.IntCmd {
	if !shown(key) {
		return g.UniversalClient.ZRem(ctx, key, members...)
	}
	g.try(ctx, func(ctx context.Context) error { return g.UniversalClient.ZRem(ctx, key, members...).Err() })
	return redis.NewIntCmd(ctx)
}

// EvalSha runs a script of asynq's.
func (g showGuard) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if len(keys) == 0 || !shown(keys[0]) {
		return g.UniversalClient.EvalSha(ctx, sha, keys, args...)
	}
	done := redis.NewCmd(ctx)
	g.try(ctx, func(ctx context.Context) error {
		err := g.UniversalClient.EvalSha(ctx, sha, keys, args...).Err()
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			done.SetErr(err) // asynq then sends the script itself
		}
		return err
	})
	return done
}
