package worker

import (
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// retries decides when an export that failed comes back, and when it has failed
// for long enough.
type retries struct {
	min, max time.Duration
	budget   time.Duration // from the first failure
	settle   time.Duration
	random   func() float64 // from 0 up to 1
}

// decide sets when the export comes back, or gives it up.
func (r retries) decide(c *store.Claim, o outcome) outcome {
	// An unknown write is never given up: it may take effect yet, and whoever comes
	// next with the same e-mail must not be let past it. The look-up after it has
	// settled gives up.
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
		// Not before the write has settled, whatever the back-off says. The second
		// covers that the queue may be early by as much.
		o.after = max(pause, r.settle+time.Second)
	case o.after > 0:
		o.after = min(max(o.after, r.min), r.max)
	default:
		o.after = pause
	}
	return o
}

// tellsWhy are the reasons to retry that say more of a dead letter than that the
// budget is spent: iCIMS was never asked, or its answers contradict each other.
var keepsReason = map[store.Reason]bool{
	store.ReasonPayloadSealed: true, store.ReasonPayloadMissing: true, store.Reason(icims.ReasonRedirected): true, store.Reason(icims.ReasonIntercepted): true,
	store.ReasonPersonVanished: true, store.ReasonLinkUnreadable: true,
}

// spent reports whether the export has panicked often enough, or has failed for long enough by
// Redis's clock, and which of the two.
func (r retries) spent(c *store.Claim) (store.Reason, bool) {
	if c.Panics >= maxPanics {
		return store.ReasonPanicked, true
	}
	return store.ReasonBudgetSpent, c.Failing > r.budget
}

// pause is the pause after the n-th failure, counted from 0: between the
// shortest and a ceiling that doubles with each failure (full jitter), so that
// exports which failed together do not come back together.
func (r retries) pause(failures int) time.Duration {
	b := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(r.min),
		backoff.WithMultiplier(2),
		backoff.WithMaxInterval(r.max),
		backoff.WithRandomizationFactor(0), // the jitter is ours: full, and replayable
		backoff.WithMaxElapsedTime(0),
	)
	ceiling := b.NextBackOff()
	for range min(failures+1, 60) {
		ceiling = b.NextBackOff()
	}
	return min(max(time.Duration(r.random()*float64(ceiling)), r.min), r.max)
}

// throttle keeps a lane from spending its calls on retries while most of them
// fail: each retry takes a token. Tokens come back with each success, and slowly
// with time, so that retries never stop altogether. A first attempt is free.
type throttle struct {
	now func() time.Time

	mu     sync.Mutex
	tokens float64
	at     time.Time
}

const (
	throttleTokens = 50.0
	// tokensPerSecond is what an outage costs at most: a fifth of the calls that
	// a customer is granted by default.
	tokensPerSecond = 1.0
)

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, tokens: throttleTokens, at: now()}
}

// take asks for a token for another attempt at an export.
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

// succeeded gives tokens back: that of the attempt, and one on top.
func (t *throttle) succeeded() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens = min(throttleTokens, t.tokens+2)
}
