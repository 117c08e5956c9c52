package store

import (
	"context"
	"fmt"
	"time"
)

// Swept tells what a sweep over a customer's batches has changed.
type Swept struct {
	Forgotten int // batches that had expired
	Closed    int // open batches whose producer had vanished
	Broken    int // batches that could not be read
}

// sweptPage is how many batches one script looks at, so that others wait for Redis a
// millisecond at most.
const sweptPage = 100

// SweepBatches takes the batches of a customer that have expired off the lists, and closes
// open ones that have taken no row for a time. What was accepted into those is worked as
// usual, and the same idempotency key still adds to them.
func (l *Ledger) SweepBatches(ctx context.Context, customer string, idle time.Duration) (Swept, error) {
	var swept Swept
	for _, key := range []string{batchesKey(customer), testsKey(customer)} {
		err := l.eachListed(ctx, key, sweptPage, func(locals []string) error {
			args := make([]any, 0, 4+len(locals))
			args = append(args, prefix(customer), "", idle.Milliseconds(), int64(l.retention/time.Second))
			for _, local := range locals {
				args = append(args, local)
			}
			answer, err := l.run(ctx, sweepScript, key, args...)
			if err != nil {
				return err
			}
			for i, n := range []*int{&swept.Forgotten, &swept.Closed, &swept.Broken} {
				*n += int(number(text(answer[i])))
			}
			return nil
		})
		if err != nil {
			return swept, fmt.Errorf("sweep batches: %w", err)
		}
	}
	return swept, nil
}
