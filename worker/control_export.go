package worker

import (
	"context"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/control"
)

// controlLane is a lane without a server, for one run of a control task. It has its own limiter:
// an open lane's limiter closes with the lane, for reasons that do not apply here.
type controlLane struct{ *lane }

var _ control.Lane = controlLane{}

// Client returns the client for the customer's iCIMS.
func (l controlLane) Client() *icims.Client { return l.client }

// Close closes the lane.
func (l controlLane) Close() { l.end() }

// Export takes an export through the stages, see control.Run.
func (l controlLane) Export(ctx context.Context, ref store.Ref, within time.Duration) error {
	// When the worker stops, calls that wait for a permit are refused; calls in progress finish.
	defer context.AfterFunc(ctx, l.limiter.Drain)()
	ctx, cancel := context.WithTimeoutCause(ctx, within, control.ErrExportWaits)
	defer cancel()
	p := newPipeline(l.lane)
	for {
		// The deadline does not cancel calls: they have their own timeout.
		x, o := p.run(context.WithoutCancel(ctx), task{Ref: ref, Express: true})
		if o.kind == fault {
			return o.err
		}
		again := x.redelivery(o, l.now())
		if again == nil {
			return nil
		}
		if deadline, _ := ctx.Deadline(); time.Until(deadline) < again.After() {
			return control.ErrExportWaits
		}
		if err := sleep(ctx, again.After()); err != nil {
			return err
		}
	}
}
