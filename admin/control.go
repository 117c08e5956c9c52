package admin

import (
	"context"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// Request requests a control task; see tasks.RequestControl.
func (d *ControlTasks) Request(ctx context.Context, customer string, kind store.ControlKind, args any, by string) (t store.ControlTask, joined bool, err error) {
	return tasks.RequestControl(ctx, d.Redis, d.Ledger, customer, kind, args, by)
}

// Explain adds to a waiting control task what it waits for.
func (d *ControlTasks) Explain(ctx context.Context, v *store.ControlView) error {
	if v.State != store.ControlWaiting {
		return nil
	}
	outage, err := d.Lanes.Outage(ctx)
	if outage != nil {
		v.Problem, v.Remedy = outage.Problem, outage.Remedy
	}
	return err
}

// Await waits until a control task has ended or, if seen is not 0, has a revision other than
// seen.
func (d *ControlTasks) Await(ctx context.Context, t store.ControlTask, wait time.Duration, seen int64) (store.ControlTask, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for !t.State.Ended() && ctx.Err() == nil && (seen == 0 || t.Revision == seen) {
		var err error
		if t, err = d.Ledger.Control.Await(ctx, t); err != nil {
			return t, err
		}
	}
	return t, nil
}
