package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
)

const (
	// probeFor is for how long a look at Redis answers whoever asks.
	probeFor = time.Second
	// probeLimit is how long Redis has for its answer.
	probeLimit = 2 * time.Second
)

// WriteProbe shares a look at whether Redis takes writes, which is a write itself: who
// asks for a process's readiness needs no key, and must not be able to make the process
// write more.
type WriteProbe struct {
	writable func(context.Context) error
	now      func() time.Time
	flight   singleflight.Group

	// Only the one in flight reads and writes these.
	at  time.Time // the end of the last look
	err error     // what it found
}

// NewWriteProbe returns a probe that looks with writable, such as Ledger.Writable, once
// a second at most by the given clock.
func NewWriteProbe(writable func(context.Context) error, now func() time.Time) *WriteProbe {
	return &WriteProbe{writable: writable, now: now}
}

// Look is what the last look found, or a new one where that is a second old; it takes
// two seconds at most. Its error is one that TroubleOf tells apart.
func (p *WriteProbe) Look(ctx context.Context) error {
	_, err, _ := p.flight.Do("", func() (any, error) {
		if !p.at.IsZero() && p.now().Sub(p.at) < probeFor {
			return nil, p.err
		}
		// The look is for others too, who stay when the first to ask goes.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeLimit)
		defer cancel()
		p.err = p.writable(ctx)
		p.at = p.now()
		return nil, p.err
	})
	return err
}

// readyFor is for how long the trace of a look at the ledger stays.
const readyFor = time.Minute

// Writable checks that Redis answers and takes writes. Its error is one that
// TroubleOf tells apart. It changes a key only where that is there, and nobody makes it: Redis
// refuses such a write like any other.
func (l *Ledger) Writable(ctx context.Context) error {
	err := l.redis.SetArgs(ctx, readyKey, "1", redis.SetArgs{Mode: "XX", TTL: readyFor}).Err()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return wrapped("write to the ledger", err)
}
