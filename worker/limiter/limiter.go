package limiter

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store/quota"
)

// Limiter grants the permits for the calls of one customer.
type Limiter struct {
	config Config

	draining context.Context    //nolint:containedctx // the limiter's life, not that of a call
	drain    context.CancelFunc // refuses all further calls and wakes those that wait

	mu       sync.Mutex
	limits   quota.Limits
	waiting  [2][]*waiter // by class; first come, first served
	returned []quota.Returned
	// unheard are answers that may close calls and that the quota does not know yet: until
	// then no permit in hand is used.
	unreported  int
	paused      quota.Closure    // by an operator, as last heard
	closed      [2]quota.Closure // by class
	revoked     bool             // iCIMS refuses calls: no permit in hand is used
	answeredAt  time.Time        // when the quota last answered
	lastSuccess time.Time        // of a call
	asking      bool             // a request is under way
	asked       time.Time        // when the last one began
	askAt       time.Time        // not before; zero: at once
	full        bool             // what is wanted waits for permits in flight
	failing     time.Time        // since when Redis has not answered; zero: it answers
	stopped     bool
	timer       *time.Timer
	asks        sync.WaitGroup

	queued bool // for a slot; guarded by the lock of Slots
}

// Config is what a Limiter is made of.
type Config struct {
	Quota    *quota.Store
	Customer string
	// Worker names the process; two limiters of a customer must not share a name.
	Worker string
	// Credentials tells those in use from others, see quota.Request.
	Credentials string
	Limits      quota.Limits
	// CallTimeout is how long a call may take. A permit is held somewhat longer.
	CallTimeout time.Duration
	Slots       *Slots
	// Control: the calls belong to a control task.
	Control  bool
	Observer Observer // may be nil
	Log      zerolog.Logger
}

// Observer is told about calls, so that they can be counted. Its methods must not wait.
type Observer interface {
	// Called tells of a call; status is 0 where no answer came.
	Called(op icims.Op, status int, took time.Duration)
	// Permitted tells of a call that wanted a permit, and whether it got one.
	Permitted(express bool, waited time.Duration, granted bool)
}

// The reasons of refusals that are the limiter's own.
const (
	ReasonNoPermit     icims.Reason = "no_permit"
	ReasonShuttingDown icims.Reason = "shutting_down"
)

const (
	// HoldMargin is how much longer than a call its permit is held: for the wait until its
	// slot, and for the way back.
	HoldMargin = 15 * time.Second
	// pauseKnown is for how long a pause is believed: nobody tells the limiter of its end.
	pauseValid = 3 * time.Second
	// workingLately is for how long after a successful call a 403 is about one right rather
	// than about the account.
	recentSuccess = time.Minute
	// sameClosure is how far two readings of the end of one closure may be apart.
	sameClosure = time.Second
)

// New returns a limiter. Its calls are refused once ctx ends.
func New(ctx context.Context, c Config) *Limiter {
	if c.Observer == nil {
		c.Observer = noObserver{}
	}
	l := &Limiter{config: c, limits: c.Limits}
	l.draining, l.drain = context.WithCancel(ctx)
	return l
}

type noObserver struct{}

func (noObserver) Called(icims.Op, int, time.Duration) {}
func (noObserver) Permitted(bool, time.Duration, bool) {}

// SetLimits changes the limits at once, also for calls that wait.
func (l *Limiter) SetLimits(limits quota.Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limits = limits
	l.closed, l.askAt = [2]quota.Closure{}, time.Time{} // may be over
	l.schedule()
}

// Closed returns why no export should begin now, as far as this process knows: because the
// lane stops, calls are closed, or the customer is paused. It asks nobody.
func (l *Limiter) Closed(express bool) quota.Closure {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch closed := l.closed[class(express)].At(now); {
	case l.draining.Err() != nil:
		return quota.Closure{Reason: string(ReasonShuttingDown)}
	case !closed.Open():
		return closed
	case now.Sub(l.answeredAt) < pauseValid && !l.config.Control:
		return l.paused.At(now)
	default:
		return quota.Closure{}
	}
}

// WorksLately reports whether calls succeed, so that a 403 is about one right.
func (l *Limiter) SucceededRecently() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.lastSuccess.IsZero() && time.Since(l.lastSuccess) < recentSuccess
}

// Believe opens the limiter where the quota's status says that calls open earlier than it
// knew. No permits are asked for while calls are closed, so nothing else would tell. It
// reports whether anything changed.
func (l *Limiter) OpenEarlier(closed, closedExpress quota.Closure) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, opened := time.Now(), false
	for c, told := range [2]quota.Closure{bulk: closed, express: closedExpress} {
		known := l.closed[c].At(now)
		if known.Open() || !told.Open() && !told.Until.Before(known.Until.Add(-sameClosure)) {
			continue
		}
		l.closed[c], opened = told, true
	}
	return opened
}

// CloseFor closes calls for a while.
func (l *Limiter) CloseFor(reason string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	closed := quota.Closure{Reason: reason, Until: time.Now().Add(d)}
	l.closed = [2]quota.Closure{closed, closed}
}

// Resume forgets a pause that is over.
func (l *Limiter) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = quota.Closure{}
}

// Drain refuses all further calls, also those that wait. Calls that have been sent go on.
func (l *Limiter) Drain() { l.drain() }

// Draining ends when Drain is called.
func (l *Limiter) Draining() context.Context { return l.draining }

// Close drains the limiter and returns what is left to return, after the last call.
func (l *Limiter) Close(ctx context.Context) {
	l.drain()
	l.mu.Lock()
	l.stopped = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	l.asks.Wait()
	l.mu.Lock()
	returned := l.returned
	l.returned = nil
	l.mu.Unlock()
	if len(returned) > 0 {
		// What is lost expires.
		_, _ = l.config.Quota.Ask(ctx, l.config.Customer, l.request(0, 0, returned))
	}
}
