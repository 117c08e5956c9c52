// Package testrig has what the tests of several packages set up alike: a clock, a log, and
// exports in any state.
package testrig

import (
	"sync"
	"time"
)

// Clock stands still until it is moved on.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock returns a clock that shows the present.
func NewClock() *Clock { return ClockAt(time.Now()) }

// ClockAt returns a clock that shows the time.
func ClockAt(at time.Time) *Clock { return &Clock{at: at} }

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Pass moves the clock on.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
