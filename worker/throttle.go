package worker

import (
	"sync"
	"time"

	"github.com/seekout/icims-export/store"
)

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
