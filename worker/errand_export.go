package worker

import (
	"context"
	"errors"
	"time"

	"github.com/seekout/icims-export/store"
)

// ExportSettled is for how long an errand waits at most for an export of its own:
// a write whose answer was lost is looked for after the settle time.
func (r *ErrandRun) ExportSettled() time.Duration {
	return r.Conn.Profile.SettleTime(r.worker.settings.SettleTime) + 30*time.Second
}

// DummyDomain is the domain of addresses made up for the customer's candidates.
func (r *ErrandRun) DummyDomain() string {
	if d := r.Conn.DummyDomain; d != "" {
		return d
	}
	return r.worker.settings.DummyDomain
}

// ErrExportWaits: the export has not ended yet, for want of time or of permission; the
// ledger tells why.
var ErrExportWaits = errors.New("the export waits")

// Export takes an export that is in the ledger through the stages, by itself: it
// needs no task and no open lane, and a pause does not hold it back. All else holds
// as for any other: intents, markers, locks. It returns once the export has ended,
// whatever the outcome; or ErrExportWaits when it would not within the time given.
func (r *ErrandRun) Export(ctx context.Context, ref store.Ref, within time.Duration) error {
	l, err := r.lane()
	if err != nil {
		return err
	}
	// A call that waits for its permit when the worker stops is not made, others finish.
	defer context.AfterFunc(ctx, l.gate.drain)()
	ctx, cancel := context.WithTimeoutCause(ctx, within, ErrExportWaits)
	defer cancel()
	p := newPipeline(l)
	for {
		// The end of the time does not cut calls off: they have one of their own.
		after, again, err := p.run(context.WithoutCancel(ctx), task{Ref: ref})
		if err != nil || !again {
			return err
		}
		if deadline, _ := ctx.Deadline(); time.Until(deadline) < after {
			return ErrExportWaits
		}
		wait := time.NewTimer(after)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return context.Cause(ctx)
		}
	}
}

// LookupBatch is how many addresses exports look up with one search at most.
func (r *ErrandRun) LookupBatch() int { return r.worker.settings.LookupBatch }

// Rest waits without a place among the errands that this process does at the same time, so that others
// begin meanwhile.
func (r *ErrandRun) Rest(ctx context.Context, d time.Duration) error {
	e := r.worker.errands
	e.place(r.Kind, -1)
	defer e.place(r.Kind, 1)
	return sleep(ctx, d)
}
