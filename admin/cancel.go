package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seekout/icims-export/store"
)

// BrokenOffError reports a partial failure. Repeating the action continues where it stopped.
type BrokenOffError struct {
	Done  int    // number of records
	Thing string // kind of record, such as "dead letter"
	Err   error
	// Batches are the new batches of transferred candidates.
	Batches []store.BatchID
}

func (e *BrokenOffError) Error() string {
	return fmt.Sprintf("stopped after %d (%s): %v", e.Done, e.Thing, e.Err)
}

// Unwrap returns the cause.
func (e *BrokenOffError) Unwrap() error { return e.Err }

// UnrecordedError means that the action was done but could not be recorded.
type UnrecordedError struct {
	Done  int
	Thing string
	Err   error
	// Batches are the new batches of transferred candidates.
	Batches []store.BatchID
}

func (e *UnrecordedError) Error() string {
	return fmt.Sprintf("done (%d, %s), but not recorded in the audit log: %v", e.Done, e.Thing, e.Err)
}

// Unwrap returns the cause.
func (e *UnrecordedError) Unwrap() error { return e.Err }

// CancelScope selects what to cancel: a batch, or all batches of a customer.
type CancelScope struct {
	Customer string
	Batch    store.BatchID // "" for all batches of the customer
}

// Cancel cancels waiting exports. It retries exports that are in the middle of a call until
// patience has passed, since they may be postponed and wait again. It records what was canceled,
// even after an error. Errors: store.ErrNoBatch, *BrokenOffError and *UnrecordedError.
func (d *Service) Cancel(ctx context.Context, scope CancelScope, options store.CancelOptions, patience time.Duration) (store.Cancellation, error) {
	const pause = time.Second
	mergeRepeated := func() (all store.Cancellation, err error) {
		if scope.Batch != "" {
			all, err = d.Ledger.Cancel(ctx, scope.Batch, options)
		} else {
			all, err = d.Ledger.CancelCustomer(ctx, scope.Customer, options)
		}
		// After an error, the tasks of the canceled exports must go too.
		return all, errors.Join(err, d.remove(context.WithoutCancel(ctx), scope.Customer, all.Exports))
	}
	all, err := mergeRepeated()
	for end := time.Now().Add(patience); err == nil && all.Busy > 0 && !options.DryRun && time.Now().Add(pause).Before(end); {
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(pause):
			var more store.Cancellation
			if more, err = mergeRepeated(); err == nil {
				all.Cancelled, all.PeopleLeft, all.Busy = all.Cancelled+more.Cancelled, all.PeopleLeft+more.PeopleLeft, more.Busy
			}
		}
	}
	if all.Cancelled > 0 && !options.DryRun {
		what := "canceled all waiting exports"
		if scope.Batch != "" {
			what = "canceled batch " + string(scope.Batch)
		}
		action := store.Action{At: time.Now(), Who: options.Who, What: what, Why: options.Why, Count: all.Cancelled}
		if told := d.Ledger.AuditLog.Act(context.WithoutCancel(ctx), scope.Customer, action); told != nil && err == nil {
			return all, &UnrecordedError{Done: all.Cancelled, Thing: "export", Err: told}
		}
	}
	if err != nil && !errors.Is(err, store.ErrNoBatch) {
		return all, &BrokenOffError{Done: all.Cancelled, Thing: "export", Err: err}
	}
	return all, err
}
