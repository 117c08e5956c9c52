// Package redeliver makes asynq deliver a task again after a delay.
package redeliver

import (
	"errors"
	"time"

	"github.com/hibiken/asynq"
)

// Error makes asynq deliver a task again. Its text becomes the task's last error in asynq's web
// UI.
type Error struct {
	text   string
	after  time.Duration
	failed bool
}

func (e *Error) Error() string { return e.text }

// After is the delay.
func (e *Error) After() time.Duration { return e.after }

// Waiting returns an Error that asynq does not count as a failure.
func Waiting(text string, after time.Duration) *Error { return &Error{text: text, after: after} }

// Failed returns an Error that asynq counts as a failure.
func Failed(text string, after time.Duration) *Error {
	return &Error{text: text, after: after, failed: true}
}

// IsFailure is asynq's IsFailure for exports. The death of a task's worker is not a failure.
func IsFailure(err error) bool {
	later, ok := errors.AsType[*Error](err)
	return ok && later.failed
}

// IsFailureOrDeath is asynq's IsFailure for tasks with a limit on dead workers.
func IsFailureOrDeath(err error) bool {
	_, later := errors.AsType[*Error](err)
	return !later || IsFailure(err)
}

// RetryDelay is asynq's RetryDelayFunc. A task whose worker died, or which was canceled in
// asynq's web UI, is redelivered after a second.
func RetryDelay(_ int, err error, _ *asynq.Task) time.Duration {
	if later, ok := errors.AsType[*Error](err); ok {
		return later.after
	}
	return time.Second
}
