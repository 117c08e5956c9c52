package redeliver_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/worker/redeliver"
)

func TestWaitingIsNoFailure(t *testing.T) {
	for _, c := range []struct {
		name          string
		err           error
		failed, death bool
		after         time.Duration
	}{
		{"waiting", redeliver.Waiting("waiting", time.Minute), false, false, time.Minute},
		{"waiting, wrapped", fmt.Errorf("wrapped: %w", redeliver.Waiting("waiting", time.Minute)), false, false, time.Minute},
		{"failed", redeliver.Failed("failed", time.Hour), true, true, time.Hour},
		{"the worker died", asynq.ErrLeaseExpired, false, true, time.Second},
		{"another error", errors.New("unexpected"), false, true, time.Second},
	} {
		if got := redeliver.IsFailure(c.err); got != c.failed {
			t.Errorf("%s: failure %v", c.name, got)
		}
		if got := redeliver.IsFailureOrDeath(c.err); got != c.death {
			t.Errorf("%s: failure or death %v", c.name, got)
		}
		if got := redeliver.RetryDelay(7, c.err, nil); got != c.after {
			t.Errorf("%s: again after %v", c.name, got)
		}
	}
}
