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

// EvalSha and Eval run an asynq script. Scripts are all that asynq acknowledges with.
func (g ackGuard) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	ctx, cancel := withAckTime(ctx)
	defer cancel()
	return g.UniversalClient.EvalSha(ctx, sha, keys, args...)
}

// Eval follows where Redis does not have the script, as after a restart.
func (g ackGuard) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	ctx, cancel := withAckTime(ctx)
	defer cancel()
	return g.UniversalClient.Eval(ctx, script, keys, args...)
}

func withAckTime(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), ackTime)
}
