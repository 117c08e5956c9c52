package worker

import (
	"sync"
	"time"

	"github.com/seekout/icims-export/store"
)

// throttle stops a lane from spending its calls on retries while most of them
// fail: each retry takes a token, each success gives some of one back. A first
// attempt is always free.
type throttle struct {
	mu     sync.Mutex
	tokens float64
}

const (
	throttleTokens = 50.0
	retryCost      = 1.0
	successGain    = 0.5
	// throttledFor is when a retry without a token is considered again.
	throttledFor = 30 * time.Second
	// trickle is the least there is: one retry at a time goes through even when
	// nothing has succeeded, to find out whether iCIMS is well again.
	trickleGain = 1.0 / 8
)

func newThrottle() *throttle { return &throttle{tokens: throttleTokens} }

// take asks for a token for another attempt at an export.
func (t *throttle) take(c *store.Claim) bool {
	if c.Attempts == 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tokens < retryCost {
		t.tokens += trickleGain
		return false
	}
	t.tokens -= retryCost
	return true
}

// succeeded gives tokens back.
func (t *throttle) succeeded() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens = min(throttleTokens, t.tokens+successGain+retryCost)
}
