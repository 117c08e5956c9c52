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
	// sweepEvery is the interval of sweeps over each customer's batches.
	sweepEvery = 6 * time.Hour
	// sweepPause is the minimum time between two rounds, so that an idle fleet costs little.
	sweepPause = 10 * time.Second
)

// batchSweep is the progress of a sweep over all customers' batches.
type batchSweep struct {
	started   time.Time
	customers []string // not visited yet
	step      int      // customers per round
	scanned   time.Time
}

// sweepBatches deletes expired batches of some customers, and closes batches whose producer has
// vanished. It visits all customers within six hours. A new leader starts immediately.
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
		all, err := r.ledger.Workers.Customers(ctx)
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
		// A customer with broken keys does not affect the others.
		swept, err := r.ledger.Recovery.SweepBatches(ctx, customer, r.idle)
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

// tidy trims what asynq keeps for a customer.
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
	if moving, err := r.ledger.Recovery.CountMoving(ctx, customer); err != nil || moving[0] > 0 {
		return err
	}
	return r.queues.Tidy(ctx, customer)
}

// endedExports reports which exports have ended and are not dead letters.
func (r *sweep) endedExports(ctx context.Context, customer string, exports []string) (map[string]bool, error) {
	records, err := r.ledger.Recovery.States(ctx, customer, exports)
	ended := map[string]bool{}
	for _, m := range records {
		ended[m.Export] = m.State == "" || m.State.Ended() && m.State != store.Dead
	}
	return ended, err
}

// forgetServers removes killed servers from the list in asynq's web UI. asynq does so when the
// list is read.
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
