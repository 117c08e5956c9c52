package worker

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// ackGuard is the Redis client that asynq's servers get. asynq repeats a failed
// acknowledgement with the context of the task, which has ended by then, so the
// repetition can never succeed and the task runs again. The guard gives such a
// call a few seconds of its own.
type ackGuard struct{ redis.UniversalClient }

const ackTime = 3 * time.Second

// EvalSha runs an asynq script. Scripts are all that asynq acknowledges with.
func (g ackGuard) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if ctx.Err() == nil {
		return g.UniversalClient.EvalSha(ctx, sha, keys, args...)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTime)
	defer cancel()
	return g.UniversalClient.EvalSha(ctx, sha, keys, args...)
}
