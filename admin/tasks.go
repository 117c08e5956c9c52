package admin

import (
	"context"
	"errors"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

func (d *base) queues() *tasks.Queues { return tasks.NewQueues(d.Redis, d.TaskRetention) }

// start enqueues exports that were just accepted, or runs the tasks of retried ones. The sweep
// enqueues whatever is missed here.
func (d *base) start(ctx context.Context, customer string, exports []string) error {
	stand, err := d.Ledger.Recovery.States(ctx, customer, exports)
	if err != nil {
		return err
	}
	all := make([]tasks.Export, 0, len(stand))
	for _, m := range stand {
		if m.State != "" {
			all = append(all, tasks.ExportOf(m))
		}
	}
	return errors.Join(d.queues().Run(ctx, all...), d.Ledger.Lanes.Announce(ctx, customer))
}

// emptyThreshold is how many deletions justify emptying a queue and enqueueing the rest again: asynq
// searches the whole queue for each single task.
const emptyThreshold = 2_000

// remove deletes the tasks of ended exports from asynq's queues.
func (d *base) remove(ctx context.Context, customer string, exports []string) error {
	if len(exports) == 0 {
		return nil
	}
	queues := d.queues()
	if len(exports) < emptyThreshold {
		return queues.Delete(ctx, customer, exports...)
	}
	if err := queues.Empty(customer); err != nil {
		return err
	}
	now, err := d.Ledger.Now(ctx)
	if err != nil {
		return err
	}
	// Just accepted exports are due later than now.
	err = d.Ledger.Recovery.EachOverdue(ctx, customer, now.AddDate(1, 0, 0), emptyThreshold, func(page []store.Moving) error {
		var waiting []tasks.Export
		for _, m := range page {
			if m.State != "" && !m.State.Ended() && !m.Lease.After(now) {
				waiting = append(waiting, tasks.ExportOf(m))
			}
		}
		return queues.EnqueueMissing(ctx, waiting...)
	})
	return errors.Join(err, queues.Delete(ctx, customer, exports...), d.Ledger.Lanes.Announce(ctx, customer))
}

// removeEnded deletes the tasks of those exports that have ended. It reads their state, since an
// export may have been retried meanwhile.
func (d *base) removeEnded(ctx context.Context, customer string, exports []string) error {
	stand, err := d.Ledger.Recovery.States(ctx, customer, exports)
	if err != nil {
		return err
	}
	var ended []string
	for _, m := range stand {
		if m.State == "" || m.State.Ended() && m.State != store.Dead {
			ended = append(ended, m.Export)
		}
	}
	if len(ended) == 0 {
		return nil
	}
	return d.queues().Delete(ctx, customer, ended...)
}

// Erase erases a candidate and the tasks of the candidate's exports; see store.Ledger.Erase.
func (d *Service) Erase(ctx context.Context, customer, candidate string, o store.EraseOptions) (store.ErasureReceipt, error) {
	receipt, err := d.Ledger.Candidates.Erase(ctx, customer, candidate, o)
	return receipt, errors.Join(err, d.removeEnded(context.WithoutCancel(ctx), customer, receipt.Exports))
}
