package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
)

const (
	// probeFor is how long a result is valid.
	probeFor = time.Second
	// probeLimit is the timeout for Redis's reply.
	probeLimit = 2 * time.Second
)

// WriteProbe caches whether Redis takes writes, which it checks with a write. Readiness requests
// need no API key, so they must not cause more writes than one a second.
type WriteProbe struct {
	writable func(context.Context) error
	now      func() time.Time
	flight   singleflight.Group

	// Only the check in progress reads and writes these.
	at  time.Time // end of the last check
	err error     // its result
}

// NewWriteProbe returns a probe that calls writable, such as Ledger.Writable, at most once a second
// by the given clock.
func NewWriteProbe(writable func(context.Context) error, now func() time.Time) *WriteProbe {
	return &WriteProbe{writable: writable, now: now}
}

// Look returns the result of the last check, or of a new one if that is a second old. It takes at
// most two seconds. TroubleOf classifies its error.
func (p *WriteProbe) Look(ctx context.Context) error {
	_, err, _ := p.flight.Do("", func() (any, error) {
		if !p.at.IsZero() && p.now().Sub(p.at) < probeFor {
			return nil, p.err
		}
		// Other callers wait for this check too, so it must outlive the first caller's request.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeLimit)
		defer cancel()
		p.err = p.writable(ctx)
		p.at = p.now()
		return nil, p.err
	})
	return err
}

// readyFor is the expiry of the key that Writable tests.
const readyFor = time.Minute

// Writable checks that Redis answers and takes writes. TroubleOf classifies its error. It only
// writes a key that already exists, and nothing creates that key: Redis rejects the write like any
// other.
func (l *Checks) Writable(ctx context.Context) error {
	err := l.redis.SetArgs(ctx, readyKey, "1", redis.SetArgs{Mode: "XX", TTL: readyFor}).Err()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return wrapped("write to the ledger", err)
}
