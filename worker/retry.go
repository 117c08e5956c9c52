package worker

import (
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// retries decides when a failed export is retried, and when its retry budget is spent.
type retries struct {
	min, max time.Duration
	budget   time.Duration // from the first failure
	settle   time.Duration
	random   func() float64 // in [0, 1)
}

// decide sets the delay of an export, or makes it dead.
func (r retries) decide(c *store.Claim, o outcome) outcome {
	// An unknown write never becomes dead here: it may still take effect, and other exports of
	// the email must wait for it. The look-up after the settle time decides.
	if o.panicked {
		c.Panics++
	}
	if why, spent := r.spent(c); o.kind != unknown && spent {
		o.kind = dead
		if !keepsReason[o.reason] {
			o.reason = why
		}
		return o
	}
	pause := r.pause(c.Attempts)
	switch {
	case o.kind == unknown:
		// Wait for the settle time, whatever the back-off. The queue may be early by up to a
		// second.
		o.after = max(pause, r.settle+time.Second)
	case o.after > 0:
		o.after = min(max(o.after, r.min), r.max)
	default:
		o.after = pause
	}
	return o
}

// keepsReason are the retry reasons that explain a dead letter better than a spent budget: iCIMS
// was never called, or its responses contradict each other.
var keepsReason = map[store.Reason]bool{
	store.ReasonPayloadSealed: true, store.ReasonPayloadMissing: true, store.Reason(icims.ReasonRedirected): true, store.Reason(icims.ReasonIntercepted): true,
	store.Reason(icims.ReasonSearchRefused): true,
	store.ReasonPersonVanished:              true, store.ReasonLinkUnreadable: true,
}

// spent reports whether the export has reached the limit of panics, or has failed for longer than
// the budget by Redis's clock, and which of the two.
func (r retries) spent(c *store.Claim) (store.Reason, bool) {
	if c.Panics >= maxPanics {
		return store.ReasonPanicked, true
	}
	return store.ReasonBudgetSpent, c.Failing > r.budget
}

// pause returns the delay after the n-th failure, counted from 0: random between the minimum and
// a ceiling that doubles with each failure (full jitter), so that exports which failed together
// do not return together.
func (r retries) pause(failures int) time.Duration {
	b := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(r.min),
		backoff.WithMultiplier(2),
		backoff.WithMaxInterval(r.max),
		backoff.WithRandomizationFactor(0), // the jitter below is full, and replayable in tests
		backoff.WithMaxElapsedTime(0),
	)
	ceiling := b.NextBackOff()
	for range min(failures+1, 60) {
		ceiling = b.NextBackOff()
	}
	return min(max(time.Duration(r.random()*float64(ceiling)), r.min), r.max)
}

// throttle limits retries while most of them fail. Each retry takes a token. Tokens return with
// each success, and slowly with time, so retries never stop. First attempts are free.
type throttle struct {
	now func() time.Time

	mu     sync.Mutex
	tokens float64
	at     time.Time
}

const (
	throttleTokens = 50.0
	// tokensPerSecond bounds the calls for retries in an outage: a fifth of a customer's default
	// rate.
	tokensPerSecond = 1.0
)

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, tokens: throttleTokens, at: now()}
}

// take takes a token for an attempt at an export. It returns false if there is none.
func (t *throttle) take(c *store.Claim) bool {
	if c.Attempts == 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.tokens = min(throttleTokens, t.tokens+tokensPerSecond*now.Sub(t.at).Seconds())
	t.at = now
	if t.tokens < 1 {
		return false
	}
	t.tokens--
	return true
}

// succeeded returns two tokens: the attempt's own and one more.
func (t *throttle) succeeded() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens = min(throttleTokens, t.tokens+2)
}
