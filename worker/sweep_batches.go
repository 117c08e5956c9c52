package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/store"
)

const (
	// sweepEvery is how often the batches of each customer are swept.
	sweepEvery = 6 * time.Hour
	// sweepPause is the time between two looks: an idle fleet is to cost little.
	sweepPause = 10 * time.Second
)

// batchSweep is how far the current sweep over all customers' batches has come.
type batchSweep struct {
	started   time.Time
	customers []string // that are still to come
	step      int      // customers to a look
	scanned   time.Time
}

// sweepBatches looks at the batches of some customers: it forgets those that have expired, and
// closes those whose producer has vanished. Within six hours it comes to all customers; a
// new leader begins at once.
func (r *sweep) sweepBatches(ctx context.Context, now time.Time) error {
	s := &r.batches
	if now.Sub(s.scanned) < sweepPause {
		return nil
	}
	s.scanned = now
	if len(s.customers) == 0 {
		if now.Sub(s.started) < sweepEvery {
			return nil
		}
		all, err := r.ledger.Customers(ctx)
		if err != nil {
			return err
		}
		if err := errors.Join(r.forgetServers(), r.queues.TrimShared(ctx, now)); err != nil {
			return err
		}
		rounds := int(sweepEvery/sweepPause) * 3 / 4 // a round may take longer
		s.started, s.customers, s.step = now, all, len(all)/rounds+1
	}
	var errs []error
	chosen := s.customers[:min(s.step, len(s.customers))]
	s.customers = s.customers[len(chosen):]
	for _, customer := range chosen {
		// One whose keys are broken keeps the others from nothing.
		swept, err := r.ledger.SweepBatches(ctx, customer, r.idle)
		if err != nil {
			errs = append(errs, fmt.Errorf("customer %s: %w", customer, err))
		}
		if swept.Broken > 0 {
			r.log.Error().Str("customer", customer).Int("batches", swept.Broken).Msg("batches with broken Redis keys are never deleted")
		}
		r.found(customer, FindingAbandoned, swept.Closed)
		if err := r.tidy(ctx, customer, now); err != nil {
			errs = append(errs, fmt.Errorf("customer %s: %w", customer, err))
		}
	}
	return errors.Join(errs...)
}

// tidy keeps what asynq keeps of a customer small.
func (r *sweep) tidy(ctx context.Context, customer string, now time.Time) error {
	if known, err := r.queues.Any(customer); err != nil || !known {
		return err
	}
	if _, err := r.queues.TrimArchives(ctx, customer, now); err != nil {
		return err
	}
	ended := func(ctx context.Context, exports []string) (map[string]bool, error) {
		return r.endedExports(ctx, customer, exports)
	}
	if err := r.queues.DeleteArchived(ctx, customer, ended); err != nil {
		return err
	}
	if moving, err := r.ledger.CountMoving(ctx, customer); err != nil || moving[0] > 0 {
		return err
	}
	return r.queues.Tidy(ctx, customer)
}

// settled are those of the exports that have ended and are no dead letters.
func (r *sweep) endedExports(ctx context.Context, customer string, exports []string) (map[string]bool, error) {
	records, err := r.ledger.Stand(ctx, customer, exports)
	ended := map[string]bool{}
	for _, m := range records {
		ended[m.Export] = m.State == "" || m.State.Ended() && m.State != store.Dead
	}
	return ended, err
}

// forgetServers takes asynq's servers that were killed off the lists that its web UI shows:
// asynq does so when somebody looks at them.
func (r *sweep) forgetServers() error {
	_, err := asynq.NewInspectorFromRedisClient(r.redis).Servers()
	return wrapped("list servers", err)
}

func wrapped(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
