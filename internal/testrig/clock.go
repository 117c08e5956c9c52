// Package testrig provides what tests of several packages share: a clock, a log, and exports in any
// state.
package testrig

import (
	"sync"
	"time"
)

// Clock is a clock that stands still until Pass.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock returns a clock set to the current time.
func NewClock() *Clock { return ClockAt(time.Now()) }

// ClockAt returns a clock set to a time.
func ClockAt(at time.Time) *Clock { return &Clock{at: at} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Pass advances the clock.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
