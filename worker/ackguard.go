package worker

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// ackGuard is the Redis client of asynq's servers. asynq repeats a failed acknowledgement with
// the context of the task, which has ended by then. The repetition can never succeed, so the task
// would run again. ackGuard gives such a call a few seconds of its own.
type ackGuard struct{ redis.UniversalClient }

const ackTime = 3 * time.Second

// EvalSha runs an asynq script. asynq acknowledges with scripts only.
func (g ackGuard) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	ctx, cancel := withAckTime(ctx)
	defer cancel()
	return g.UniversalClient.EvalSha(ctx, sha, keys, args...)
}

// Eval runs an asynq script that Redis has not loaded, as after a restart.
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
