package worker

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/quota"
)

// gate grants the permits for calls of one customer. It sits in the transport, so
// that no call is made without a permit. Permits come from Redis and hold for all
// processes; the gate collects who wants one and who is done, so that one round
// trip serves many calls (permits.go).
type gate struct {
	gateConfig

	draining context.Context    //nolint:containedctx // the lane's life, not that of a call; ends when the worker stops
	drain    context.CancelFunc // refuses all further calls and wakes those that wait

	mu       sync.Mutex
	limits   store.Limits
	waiting  [2][]*waiter // bulk, express; first come, first served
	returned []quota.Returned
	flights  int // permits in hand
	// unheard are answers that speak against further calls and that Redis does not
	// know yet: until then no permit in hand is used.
	unheard  int
	closed   [2]store.Closure // as last told: for bulk, for express
	left     [2]int           // calls of the day's budget, as last told; quota.Absent: unknown
	void     bool             // iCIMS said no, so that no permit in hand is used
	paused   store.Closure
	heard    time.Time // when
	lastGood time.Time
	asking   bool
	asked    time.Time // when last
	askAt    time.Time // not before; zero: at once
	full     bool      // what is wanted waits for permits that are in flight
	failing  time.Time // since when Redis has not answered
	stopped  bool
	timer    *time.Timer
	asks     sync.WaitGroup

	queued bool // for a place; guarded by the lock of places
}

// gateConfig is what a gate is made of.
type gateConfig struct {
	ledger      *store.Ledger
	customer    string
	worker      string
	credentials string
	hold        time.Duration // after which a permit that does not come back is free
	places      *places       // of the process
	ids         *atomic.Int64 // number the permits of the process
	now         func() time.Time
	errand      bool // its calls are an errand's
	observer    Observer
	log         zerolog.Logger
}

// holdMargin is how much longer than a call may take its permit is kept: for the
// wait until its slot, and for the way back.
const holdMargin = 15 * time.Second

func newGate(base context.Context, c gateConfig, limits store.Limits) *gate {
	if c.observer == nil {
		c.observer = nobody{}
	}
	g := &gate{gateConfig: c, limits: limits, left: nothingTold}
	g.draining, g.drain = context.WithCancel(base)
	return g
}

// nothingTold is the budget before the first answer.
var nothingTold = [2]int{quota.Absent, quota.Absent}

// setLimits changes the limits at once, also for calls that wait.
func (g *gate) setLimits(limits store.Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = limits
	g.closed, g.askAt = [2]store.Closure{}, time.Time{} // may be over
	g.left = nothingTold
	g.schedule()
}

const (
	bulk    = 0
	express = 1
)

type expressKey struct{}

// asExpress marks the calls made with a context as those of a small batch.
func asExpress(ctx context.Context) context.Context {
	return context.WithValue(ctx, expressKey{}, true)
}

// asBulk marks the calls made with a context as those of a large batch, in spite of a
// mark that it has.
func asBulk(ctx context.Context) context.Context {
	return context.WithValue(ctx, expressKey{}, nil)
}

func queueOf(ctx context.Context) int {
	if ctx.Value(expressKey{}) != nil {
		return express
	}
	return bulk
}

// waiter is a call that wants a permit.
type waiter struct {
	queue int
	ready chan struct{} // closed when one of these is set
	permit
	err error
}

// permit is a permit in hand.
type permit struct {
	quota.Permit
	slot   time.Time // when the call may be made
	latest time.Time // until when
}

// enter waits for a permit. The error is a refusal, or the context's.
func (g *gate) enter(ctx context.Context) (permit, error) {
	asked := g.now()
	p, err := g.await(ctx)
	if _, refused := errors.AsType[*icims.RefusedError](err); err == nil || refused {
		g.observer.Permitted(queueOf(ctx) == express, g.now().Sub(asked), err == nil)
	}
	return p, err
}

func (g *gate) await(ctx context.Context) (permit, error) {
	w := &waiter{queue: queueOf(ctx), ready: make(chan struct{})}
	if err := g.line(w, false); err != nil {
		return permit{}, err
	}
	for {
		select {
		case <-w.ready:
		case <-ctx.Done():
			g.giveUp(w)
			return permit{}, context.Cause(ctx)
		case <-g.draining.Done():
			g.giveUp(w)
			return permit{}, errDraining()
		}
		if w.err != nil {
			return permit{}, w.err
		}
		if err := g.untilSlot(ctx, w.permit); err != nil {
			g.giveUp(w)
			return permit{}, err
		}
		if g.fits(w.permit) {
			return w.permit, nil
		}
		// Too late, or not to be used any more: another one, before all others.
		g.giveUp(w)
		w.ready = make(chan struct{})
		if err := g.line(w, true); err != nil {
			return permit{}, err
		}
	}
}

// line puts a call into its queue.
func (g *gate) line(w *waiter, front bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if refused := g.refusalFor(w.queue); refused != nil {
		return refused
	}
	if front {
		g.waiting[w.queue] = append([]*waiter{w}, g.waiting[w.queue]...)
	} else {
		g.waiting[w.queue] = append(g.waiting[w.queue], w)
	}
	if w.queue == express && len(g.waiting[express]) == 1 && !g.full {
		g.askAt = time.Time{} // express may have what bulk was refused
	}
	g.schedule()
	return nil
}

// giveUp takes a call out of its queue, or gives back the permit that it has got.
func (g *gate) giveUp(w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	queue := g.waiting[w.queue]
	for i, other := range queue {
		if other == w {
			g.waiting[w.queue] = append(queue[:i:i], queue[i+1:]...)
			return
		}
	}
	if w.err == nil {
		g.giveBack(quota.Unused(w.Permit))
	}
}

func (g *gate) untilSlot(ctx context.Context, p permit) error {
	wait := p.slot.Sub(g.now())
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-g.draining.Done():
		return errDraining()
	}
}

// fits reports whether a permit may be used now: a process that was stalled would
// put its call among those of others.
func (g *gate) fits(p permit) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fitsLocked(p)
}

func (g *gate) fitsLocked(p permit) bool {
	return g.unheard == 0 && !g.void && !g.now().After(p.latest)
}

// begins reports whether an export may begin with a permit in hand.
func (g *gate) begins(p permit) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fitsLocked(p) && g.paused.At(g.now()).Open()
}

// leave gives a permit back.
func (g *gate) leave(r quota.Returned) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Status >= 200 && r.Status < 300 {
		g.lastGood = g.now()
	}
	g.giveBack(r)
}

// giveBack is for holders of the lock.
func (g *gate) giveBack(r quota.Returned) {
	g.returned = append(g.returned, r)
	g.flights--
	g.places.give(1)
	if speaksAgainst(r) {
		g.unheard++
	}
	g.schedule()
}

// speaksAgainst tells answers after which Redis may close the gate.
func speaksAgainst(r quota.Returned) bool {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, icims.StatusNotAuthorized:
		return true
	default:
		return !r.Unused && r.Remaining == 0
	}
}

// against counts answers that speak against further calls.
func against(returned []quota.Returned) int {
	n := 0
	for _, r := range returned {
		if speaksAgainst(r) {
			n++
		}
	}
	return n
}

// middleware puts the gate into the client's transport chain.
func (g *gate) middleware(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		p, err := g.pass(req.Context())
		if err != nil {
			return nil, err
		}
		// The answer has been read completely when it comes.
		return g.call(req, p, next)
	})
}

// call makes a call with its permit, which comes back whatever happens.
func (g *gate) call(req *http.Request, p permit, next http.RoundTripper) (answer *http.Response, err error) {
	start := g.now()
	defer func() {
		status := 0
		if answer != nil {
			status = answer.StatusCode
		}
		g.observer.Called(icims.OpOf(req.Context()), status, g.now().Sub(start))
		g.leave(judged(req, p.Permit, answer, err))
	}()
	return next.RoundTrip(req)
}

// judged is a permit with what became of its call.
func judged(req *http.Request, p quota.Permit, answer *http.Response, err error) quota.Returned {
	r := quota.Unused(p)
	r.Unused = err != nil && icims.SentOf(req.Context()) == icims.SentNo
	if answer == nil {
		// A host that refuses a token speaks about the account, too. No call was made.
		if refused, ok := errors.AsType[*icims.AuthError](err); ok && r.Unused {
			switch refused.Class {
			case icims.ClassCredentials:
				r.Status = http.StatusUnauthorized
			case icims.ClassAccess:
				r.Status = http.StatusForbidden
			default:
			}
		}
		return r
	}
	number := func(name string) int {
		n, err := strconv.Atoi(answer.Header.Get(name))
		if err != nil || n < 0 {
			return quota.Absent
		}
		return n
	}
	r.Status = icims.AccountStatus(answer)
	r.Limit, r.Remaining, r.Reset = number("X-Ratelimit-Limit"), number("X-Ratelimit-Remaining"), number("X-Ratelimit-Reset")
	r.RetryAfter = number("Retry-After")
	return r
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
