package config

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// abortedHook replaces the error of an aborted transaction with that of the command that Redis
// refused. EXECABORT alone does not distinguish full memory from a read-only replica.
type abortedHook struct{}

func (abortedHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (abortedHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (abortedHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		err := next(ctx, commands)
		if !aborted(err) {
			return err
		}
		for _, c := range commands {
			if cause, refused := errors.AsType[redis.Error](c.Err()); refused && !aborted(cause) {
				return cause
			}
		}
		return err
	}
}

func aborted(err error) bool {
	refused, ok := errors.AsType[redis.Error](err)
	return ok && strings.HasPrefix(refused.Error(), "EXECABORT")
}
