// Package redeliver tells asynq to deliver a task again after a while.
package redeliver

import (
	"errors"
	"time"

	"github.com/hibiken/asynq"
)

// Error makes asynq deliver a task again. Its text is the task's last error in asynq's web UI.
type Error struct {
	text   string
	after  time.Duration
	failed bool
}

func (e *Error) Error() string { return e.text }

// After is how long asynq is to wait.
func (e *Error) After() time.Duration { return e.after }

// Waiting is an Error that asynq does not count as a failure.
func Waiting(text string, after time.Duration) *Error { return &Error{text: text, after: after} }

// Failed is an Error that asynq counts as a failure.
func Failed(text string, after time.Duration) *Error {
	return &Error{text: text, after: after, failed: true}
}

// IsFailure tells asynq what counts as a failure. The death of a task's worker does not.
func IsFailure(err error) bool {
	later, ok := errors.AsType[*Error](err)
	return ok && later.failed
}

// IsFailureOrDeath is IsFailure for tasks that may end only so many of their workers.
func IsFailureOrDeath(err error) bool {
	_, later := errors.AsType[*Error](err)
	return !later || IsFailure(err)
}

// RetryDelay tells asynq when to deliver a task again. That of a worker that died, or that
// somebody canceled in asynq's web UI, comes at once.
func RetryDelay(_ int, err error, _ *asynq.Task) time.Duration {
	if later, ok := errors.AsType[*Error](err); ok {
		return later.after
	}
	return time.Second
}
