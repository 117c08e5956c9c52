package api

import (
	"context"
	"time"

	"golang.org/x/sync/singleflight"
)

// readinessFor is for how long a look at Redis answers whoever asks.
const readinessFor = time.Second

// readiness shares a look at whether Redis takes writes, which is a write itself: who
// asks needs no key, and must not be able to make this process write more.
type readiness struct {
	flight singleflight.Group

	// Only the one in flight reads and writes these.
	at  time.Time // the end of the last look
	err error     // what it found
}

// look is what the last look found, or a new one where that is too old.
func (r *readiness) look(ctx context.Context, now func() time.Time, writable func(context.Context) error) error {
	_, err, _ := r.flight.Do("", func() (any, error) {
		if !r.at.IsZero() && now().Sub(r.at) < readinessFor {
			return nil, r.err
		}
		// The look is for others too, who stay when the first to ask goes.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTime)
		defer cancel()
		r.err = writable(ctx)
		r.at = now()
		return nil, r.err
	})
	return err
}
