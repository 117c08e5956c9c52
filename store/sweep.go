package store

import (
	"context"
	"fmt"
	"time"
)

// Swept counts what a sweep over a customer's batches changed.
type Swept struct {
	Forgotten int // expired batches
	Closed    int // open batches whose producer vanished
	Broken    int // unreadable batches
}

// sweptPage is how many batches one script processes, so that it blocks Redis for a millisecond at
// most.
const sweptPage = 100

// SweepBatches removes a customer's expired batches from the lists, and closes open batches without
// a new row for the idle time. Their accepted exports continue, and the same idempotency key can
// still add rows.
func (l *Recovery) SweepBatches(ctx context.Context, customer string, idle time.Duration) (Swept, error) {
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
