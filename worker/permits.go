package worker

import (
	"context"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/quota"
)

// How a gate talks to Redis: one request at a time, which carries all permits that
// are over and asks for all that are wanted. What comes up meanwhile goes with the
// next.

const (
	// returnDelay is how long permits that are over wait for a request to go with.
	returnDelay = 5 * time.Millisecond
	// askEvery is the least time between two requests: what comes up in quick
	// succession goes together.
	askEvery = 2 * time.Millisecond
	// permitTime is how long Redis may take.
	permitTime = 3 * time.Second
	// permitPatience is for how long calls wait while Redis fails, and noPermitPause
	// when they are to be tried again.
	permitPatience = time.Second
	noPermitPause  = 5 * time.Second
	// askAgain is when a request that failed is repeated.
	askAgain = 100 * time.Millisecond
	// keptReturns bounds what is kept for a Redis that does not answer. Permits that
	// are forgotten come back when they expire.
	keptReturns = 2000
)

// schedule sees to it that a request is made when one is due. The caller holds mu.
func (g *gate) schedule() {
	// A lane that closes does not go on about a Redis that does not answer.
	if g.asking || g.stopped || g.draining.Err() != nil && !g.failing.IsZero() {
		return
	}
	now := g.now()
	var at time.Time
	switch wanted := len(g.waiting[bulk]) + len(g.waiting[express]); {
	case g.unheard > 0 && g.failing.IsZero():
	case wanted > 0 && g.full && len(g.returned) > 0 && g.failing.IsZero():
	case wanted > 0:
		at = g.asked.Add(askEvery)
		if g.askAt.After(at) {
			at = g.askAt
		}
	case len(g.returned) > 0:
		at = now.Add(returnDelay)
		if g.askAt.After(at) && !g.failing.IsZero() {
			at = g.askAt
		}
	default:
		return
	}
	if g.timer != nil {
		g.timer.Stop()
	}
	if at.After(now) {
		g.timer = spawnAfter(at.Sub(now), g.log, "permits", g.wake)
		return
	}
	g.begin()
}

// wake makes a request if one is wanted and none is under way.
func (g *gate) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.asking && !g.stopped && len(g.waiting[bulk])+len(g.waiting[express])+len(g.returned) > 0 {
		g.begin()
		return
	}
	g.places.give(0)
}

// begin makes a request beside everything else. The caller holds mu.
func (g *gate) begin() {
	r, ok := g.request()
	if !ok {
		return
	}
	g.asking, g.asked = true, g.now()
	spawn(&g.asks, g.log, "permits", func() {
		ctx, cancel := context.WithTimeout(context.Background(), permitTime)
		defer cancel()
		if err := contain(g.log, "permits", func() error { g.ask(ctx, r); return nil }); err != nil {
			g.askFailed(r, err)
		}
	})
}

// request collects what there is to ask for and to give back. It returns false
// where there is nothing, or only calls for which the process has no place.
func (g *gate) request() (quota.Request, bool) {
	wanted := g.places.take(len(g.waiting[bulk])+len(g.waiting[express]), g)
	if wanted == 0 && len(g.returned) == 0 {
		return quota.Request{}, false
	}
	r := quota.Request{
		Worker: g.worker, Credentials: g.credentials, Limits: g.limits, Hold: g.hold, Returned: g.returned,
		Control: g.errand, Express: min(wanted, len(g.waiting[express])),
	}
	r.Bulk = wanted - r.Express
	r.First = g.ids.Add(int64(max(wanted, 1))) - int64(max(wanted, 1)) + 1
	g.returned = nil
	return r, true
}

// askFailed lets another request be made after one that panicked.
func (g *gate) askFailed(r quota.Request, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asking = false
	g.places.give(r.Express + r.Bulk)
	g.failed(r, err)
	g.schedule()
}

func (g *gate) ask(ctx context.Context, r quota.Request) {
	unheard := against(r.Returned)
	sent := g.now()
	answer, err := g.ledger.Quota().Ask(ctx, g.customer, r)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asking = false
	wanted := r.Express + r.Bulk
	if err != nil {
		g.places.give(wanted)
		g.failed(r, err)
	} else {
		g.unheard -= unheard
		g.places.give(wanted - len(answer.Permits))
		g.answered(answer, sent)
	}
	g.schedule()
	g.places.give(0) // it may have been woken meanwhile
}

// answered hands out what Redis gave. The caller holds mu.
func (g *gate) answered(a quota.Answer, sent time.Time) {
	now := g.now()
	g.failing = time.Time{}
	g.closed = [2]store.Closure{store.ClosureOf(a.Closed), store.ClosureOf(a.ClosedExpress)}
	g.left, g.void = [2]int{bulk: a.CallsLeft(false), express: a.CallsLeft(true)}, a.Void
	g.paused, g.heard = store.ClosureOf(a.Paused), now
	if a.LastSuccess.After(g.lastGood) {
		g.lastGood = a.LastSuccess
	}
	g.flights += len(a.Permits)
	for _, p := range a.Permits {
		queue := bulk
		if p.Express {
			queue = express
		}
		if len(g.waiting[queue]) == 0 { // its caller gave up
			g.giveBack(quota.Unused(p))
			continue
		}
		w := g.waiting[queue][0]
		g.waiting[queue] = g.waiting[queue][1:]
		// When Redis decided lies between sent and now: not before the later one, and
		// late by the earlier, as long as the way there and back leaves time.
		late := g.limits.Lateness()
		slot := now.Add(p.After)
		w.permit = permit{Permit: p, slot: slot, latest: slot.Add(late - min(now.Sub(sent), late/2))}
		close(w.ready)
	}
	for queue := range g.waiting {
		if refused := refusalOf(g.closed[queue]); refused != nil {
			g.refuse(queue, refused)
		}
	}
	g.askAt, g.full = time.Time{}, a.Full
	if a.AskAgain > 0 {
		again := a.AskAgain
		if a.Full && g.flights > 0 {
			again *= 3 // one's own permits that come back ask anyway
		}
		g.askAt = now.Add(again)
	}
}

// failed notes that a request may or may not have been carried out. The caller
// holds mu.
func (g *gate) failed(r quota.Request, err error) {
	now := g.now()
	lost := r.Returned
	for i := range r.Express + r.Bulk {
		lost = append(lost, quota.Unused(quota.UnknownPermit(r.Worker, r.First+int64(i))))
	}
	g.returned = append(lost, g.returned...)
	g.returned = g.returned[:min(len(g.returned), keptReturns)]
	g.unheard = against(g.returned)
	if g.failing.IsZero() {
		g.failing = now
	}
	g.askAt = now.Add(askAgain)
	if now.Sub(g.failing) < permitPatience {
		return
	}
	g.askAt = now.Add(permitPatience)
	for queue := range g.waiting {
		g.refuse(queue, &icims.RefusedError{Reason: icims.Reason(store.ReasonNoPermit), After: noPermitPause, Err: err})
	}
}

// refuse sends all calls of a queue away. The caller holds mu.
func (g *gate) refuse(queue int, why *icims.RefusedError) {
	for _, w := range g.waiting[queue] {
		w.err = why
		close(w.ready)
	}
	g.waiting[queue] = nil
}

// close gives back what is left, after the last call.
func (g *gate) close(ctx context.Context) {
	g.drain()
	g.mu.Lock()
	g.stopped = true
	if g.timer != nil {
		g.timer.Stop()
	}
	g.mu.Unlock()
	g.asks.Wait()
	g.mu.Lock()
	returned := g.returned
	g.returned = nil
	g.mu.Unlock()
	if len(returned) > 0 {
		// What is lost expires.
		_, _ = g.ledger.Quota().Ask(ctx, g.customer, quota.Request{
			Worker: g.worker, Credentials: g.credentials, Limits: g.limits, Hold: g.hold, First: g.ids.Add(1), Returned: returned,
			Control: g.errand,
		})
	}
}
