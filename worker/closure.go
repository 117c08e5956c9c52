package worker

import (
	"context"
	"errors"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/quota"
)

// errDraining refuses calls of a lane that closes.
func errDraining() *icims.RefusedError {
	return &icims.RefusedError{Reason: icims.Reason(store.ReasonShuttingDown)}
}

// refusalOf makes an error of a closure; nil for none.
func refusalOf(c store.Closure) *icims.RefusedError {
	if c.Open() {
		return nil
	}
	return &icims.RefusedError{Reason: icims.Reason(c.Reason), Until: c.Until}
}

// refusalFor returns why no call of a queue may be made now, or nil. The caller
// holds mu.
func (g *gate) refusalFor(queue int) *icims.RefusedError {
	if g.draining.Err() != nil {
		return errDraining()
	}
	return refusalOf(g.closed[queue].At(g.now()))
}

// closure returns why no export is to begin, as far as this process knows.
func (g *gate) closure(queue int) store.Closure {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	switch closed := g.closed[queue].At(now); {
	case g.draining.Err() != nil:
		return store.Closure{Reason: store.ReasonShuttingDown}
	case !closed.Open():
		return closed
	case now.Sub(g.heard) < pauseKnown && !g.errand:
		return g.paused.At(now)
	default:
		return store.Closure{}
	}
}

// believe opens the gate where Redis says that it opens earlier than was told with
// the last permits: no more are asked for while it is closed, so nothing else would
// tell. It returns whether anything has changed.
func (g *gate) believe(s store.Standing) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, opened := g.now(), false
	for queue, told := range [2]store.Closure{s.Closed, s.ClosedExpress} {
		known := g.closed[queue].At(now)
		if known.Open() || !told.Open() && !told.Until.Before(known.Until.Add(-sameClosure)) {
			continue
		}
		g.closed[queue], opened = told, true
	}
	return opened
}

// closeFor closes the gate for a while, as the ledger said with a claim.
func (g *gate) closeFor(reason store.Reason, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	closed := store.Closure{Reason: reason, Until: g.now().Add(d)}
	g.closed = [2]store.Closure{closed, closed}
}

// resume forgets a pause that is over.
func (g *gate) resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.paused = store.Closure{}
}

// sameClosure is how far two readings of one closure's end may be apart.
const sameClosure = time.Second

// pauseKnown is for how long a pause is believed in: whoever resumes tells the
// supervisor, not the gate.
const pauseKnown = 3 * time.Second

// workingLately is how long after a call that succeeded a 403 counts as being
// about one right rather than about the account or this service's address.
const workingLately = time.Minute

// worksLately reports whether calls succeed, so that a 403 is about one right.
func (g *gate) worksLately() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.lastGood.IsZero() && g.now().Sub(g.lastGood) < workingLately
}

// closure returns why no export of a queue is to begin now: the gate's word, or
// the breaker's. Its zero value means that they may.
func (l *lane) closure(queue int) store.Closure {
	if c := l.gate.closure(queue); !c.Open() {
		return c
	}
	if refused := l.breaker.refusal(); refused != nil && !l.errand {
		return store.Closure{Reason: store.ReasonBreakerOpen, Until: l.now().Add(refused.After)}
	}
	return store.Closure{}
}

// callsEach is how many more calls an export in hand is expected to make at most.
const callsEach = 2

// short reports whether the exports in hand may need all calls that are left of
// the day's budget: more of them would be taken only to be put off.
func (l *lane) short(queue int) bool {
	held := int(l.hands.held.Load())
	if held == 0 {
		return false
	}
	left := l.gate.callsLeft(queue)
	return left != quota.Absent && left <= callsEach*held
}

// callsLeft is how many calls of the day's budget a queue has left, as far as this
// process knows; quota.Absent where it does not.
func (g *gate) callsLeft(queue int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.left[queue]
}

// pausedPause is when an export looks again at the latest whose customer is paused:
// a pause may be over before its end.
const pausedPause = time.Minute

// admits returns why calls for the customer make no sense now, as an error of
// the client, or nil.
func (l *lane) admits(ctx context.Context) error {
	c := l.closure(queueOf(ctx))
	if c.Open() {
		return nil
	}
	refused := refusalOf(c)
	if c.Reason == store.ReasonPaused {
		refused.After, refused.Until = pausedPause, time.Time{}
		if !c.Until.IsZero() {
			refused.After = min(pausedPause, c.Until.Sub(l.now()))
		}
	}
	return notNow(refused)
}

// notNow makes a refusal look as if the transport had given it.
func notNow(r *icims.RefusedError) error {
	after := r.After
	if !r.Until.IsZero() {
		after = time.Until(r.Until)
	}
	return &icims.Error{Op: "admit", Class: icims.ClassDefer, Reason: r.Reason, RetryAfter: max(after, 0), Err: errors.Unwrap(r)}
}
