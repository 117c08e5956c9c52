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
	drain    context.CancelFunc // refuses all further calls, including waiting ones

	mu       sync.Mutex
	limits   quota.Limits
	waiting  [2][]*waiter // by class; first come, first served
	returned []quota.Returned
	// unreported counts responses that may close calls and that the quota has not processed.
	// Until then no granted permit is used.
	unreported  int
	paused      quota.Closure    // by an operator, as of the last answer
	closed      [2]quota.Closure // by class
	revoked     bool             // iCIMS refuses calls: no granted permit is used
	answeredAt  time.Time        // when the quota last answered
	lastSuccess time.Time        // of a call
	asking      bool             // a request is in progress
	asked       time.Time        // when the last request started
	askAt       time.Time        // not before; zero: immediately
	full        bool             // waiting calls need permits that are in flight
	failing     time.Time        // since when Redis fails; zero: it answers
	stopped     bool
	timer       *time.Timer
	asks        sync.WaitGroup

	queued bool // for a slot; guarded by the lock of Slots
}

// Config configures a Limiter.
type Config struct {
	Quota    *quota.Store
	Customer string
	// Worker is the process. Two limiters of a customer must not share a name.
	Worker string
	// Credentials identifies the credentials in use, see quota.Request.
	Credentials string
	Limits      quota.Limits
	// CallTimeout bounds a call. A permit is held a bit longer.
	CallTimeout time.Duration
	Slots       *Slots
	// Control: the calls belong to a control task.
	Control bool
	// Patience is how long a call waits for the end of a pause after a 429, and is repeated if it
	// was answered with one; 0: it is refused.
	Patience time.Duration
	Observer Observer // may be nil
	Log      zerolog.Logger
}

// Observer receives calls, for metrics. Its methods must not block.
type Observer interface {
	// Called reports a call; status is 0 if there was no response.
	Called(op icims.Op, status int, took time.Duration)
	// Permitted reports a request for a permit, and whether it was granted.
	Permitted(express bool, waited time.Duration, granted bool)
}

// Reasons for refusals by the limiter itself.
const (
	ReasonNoPermit     icims.Reason = "no_permit"
	ReasonShuttingDown icims.Reason = "shutting_down"
)

const (
	// HoldMargin is how much longer than a call its permit is held, for the wait until its slot
	// and for the return.
	HoldMargin = 15 * time.Second
	// pauseValid is how long a pause counts after the quota's last answer: the limiter is not
	// notified of its end.
	pauseValid = 3 * time.Second
	// recentSuccess is how long after a successful call a 403 counts as a missing right rather
	// than as a refused account.
	recentSuccess = time.Minute
	// sameClosure is the tolerance between two readings of a closure's end.
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

// SetLimits changes the limits immediately, also for waiting calls.
func (l *Limiter) SetLimits(limits quota.Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limits = limits
	l.closed, l.askAt = [2]quota.Closure{}, time.Time{} // the closures may be over
	l.schedule()
}

// Closed returns why exports must not begin now, as far as this process knows: the lane stops,
// calls are closed, or the customer is paused. It makes no request.
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

// Reopens waits until calls of a context are permitted again after a 429. It returns false if that
// takes longer than within, if calls are not permitted for another reason, or if ctx ends.
func (l *Limiter) Reopens(ctx context.Context, within time.Duration) bool {
	closed := l.Closed(IsExpress(ctx))
	wait := time.Until(closed.Until)
	switch {
	case closed.Open():
		return true
	case closed.Reason != string(icims.ReasonRateLimited) || closed.Until.IsZero() || wait > within:
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-l.draining.Done():
	}
	return false
}

// SucceededRecently reports whether a call succeeded recently, so that a 403 means a missing
// right.
func (l *Limiter) SucceededRecently() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.lastSuccess.IsZero() && time.Since(l.lastSuccess) < recentSuccess
}

// OpenEarlier opens the limiter if the quota status says that calls open earlier than it knew. A
// closed limiter asks for no permits, so it would not notice. It reports whether anything
// changed.
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

// CloseFor closes calls for a duration.
func (l *Limiter) CloseFor(reason string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	closed := quota.Closure{Reason: reason, Until: time.Now().Add(d)}
	l.closed = [2]quota.Closure{closed, closed}
}

// Resume removes a pause that is over.
func (l *Limiter) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = quota.Closure{}
}

// Drain refuses all further and waiting calls. Calls in progress finish.
func (l *Limiter) Drain() { l.drain() }

// Draining returns a context that ends when Drain is called.
func (l *Limiter) Draining() context.Context { return l.draining }

// Close drains the limiter and returns the remaining permits. Call it after the last call.
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
		// Lost permits expire.
		_, _ = l.config.Quota.Ask(ctx, l.config.Customer, l.request(0, 0, returned))
	}
}
