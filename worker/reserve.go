package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/quota"
)

// reservation is the permit of an export's next call, taken before it. An intent
// is recorded only with the permit in hand: a worker that dies while an export
// waits for its turn then leaves no write behind that may or may not have begun,
// and whoever takes the export over need not wait for it to settle.
type reservation struct {
	gate    *gate
	journey *journey // of the export

	mu   sync.Mutex
	held bool
	permit
}

// reserveSoon is for how long a permit may be waited for before an export is
// claimed. Longer, and the export is claimed without an intent, which is recorded
// once the permit is there, at the price of a round trip.
const reserveSoon = 20 * time.Millisecond

type reservationKey struct{}

// reserving returns a context whose calls use the reservation.
func (g *gate) reserving(ctx context.Context) (context.Context, *reservation) {
	r := &reservation{gate: g}
	return context.WithValue(ctx, reservationKey{}, r), r
}

// wait takes a permit, however long that takes.
func (r *reservation) wait(ctx context.Context) outcome {
	err := r.take(ctx)
	if err == nil {
		return outcome{}
	}
	if refused, ok := errors.AsType[*icims.RefusedError](err); ok {
		return failed(notNow(refused))
	}
	return outcome{kind: deferred, reason: store.ReasonShuttingDown, err: err}
}

// soon takes a permit where that takes a moment only.
func (r *reservation) soon(ctx context.Context) bool {
	if r.gate.crowded(queueOf(ctx)) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, reserveSoon)
	defer cancel()
	return r.take(ctx) == nil
}

func (r *reservation) take(ctx context.Context) error {
	p, held := r.use()
	if !held {
		var err error
		began := r.journey.clock()
		p, err = r.gate.enter(ctx)
		r.journey.waited(ctx, "permit reserved", began, err)
		if err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.permit, r.held = p, true
	return nil
}

// use hands the permit over to a call, if there is one that is still good.
func (r *reservation) use() (permit, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.held {
		return permit{}, false
	}
	r.held = false
	if r.gate.fits(r.permit) {
		return r.permit, true
	}
	r.gate.leave(quota.Unused(r.Permit))
	return permit{}, false
}

// good reports whether there is a permit in hand that an export may begin with.
func (r *reservation) good() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held && r.gate.begins(r.permit)
}

// end gives back what was not used.
func (r *reservation) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held {
		r.held = false
		r.gate.leave(quota.Unused(r.Permit))
	}
}

// pass is the permit of a call: the reserved one, or a new one.
func (g *gate) pass(ctx context.Context) (permit, error) {
	if r, ok := ctx.Value(reservationKey{}).(*reservation); ok {
		if p, ok := r.use(); ok {
			return p, nil
		}
	}
	return g.enter(ctx)
}

// crowded reports whether others wait for permits already, and not only for Redis
// to answer.
func (g *gate) crowded(queue int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.full && !g.now().Before(g.askAt) {
		return false
	}
	return len(g.waiting[express]) > 0 || queue == bulk && len(g.waiting[bulk]) > 0
}
