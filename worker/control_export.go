package worker

import (
	"context"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/control"
)

// controlLane is a lane without a server, for one run of a control task. It has a limiter of
// its own: that of an open lane closes with the lane, and for reasons that do not hold here.
type controlLane struct{ *lane }

var _ control.Lane = controlLane{}

// Client calls the customer's iCIMS.
func (l controlLane) Client() *icims.Client { return l.client }

// Close ends the lane.
func (l controlLane) Close() { l.end() }

// Export takes an export through the stages, see control.Run.
func (l controlLane) Export(ctx context.Context, ref store.Ref, within time.Duration) error {
	// A call that waits for its permit when the worker stops is not made, others finish.
	defer context.AfterFunc(ctx, l.limiter.Drain)()
	ctx, cancel := context.WithTimeoutCause(ctx, within, control.ErrExportWaits)
	defer cancel()
	p := newPipeline(l.lane)
	for {
		// The end of the time does not cut calls off: they have one of their own.
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
