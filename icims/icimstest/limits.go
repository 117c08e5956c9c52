package icimstest

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Limits restrict a tenant's calls in addition to the daily budget. A call beyond them gets a 429,
// has no effect, does not use the budget and is counted by kind. Zero means no limit.
type Limits struct {
	// CallsPerSecond is the refill rate of a token bucket of size Burst (default 1).
	CallsPerSecond float64 `yaml:"calls_per_second" json:"calls_per_second,omitempty"`
	Burst          int     `yaml:"burst" json:"burst,omitempty"`
	// InFlight is the maximum number of concurrent calls. A call is in flight from its arrival
	// until the first byte of its response is sent, or until the response is withheld for good.
	InFlight int `yaml:"in_flight" json:"in_flight,omitempty"`
}

func (l Limits) check() error {
	if l.CallsPerSecond < 0 || math.IsNaN(l.CallsPerSecond) || l.Burst < 0 || l.InFlight < 0 {
		return errors.New("limits: must not be negative")
	}
	return nil
}

func (s SecondSpender) check() error {
	if !(s.Share >= 0 && s.Share < 1) || !(s.CallsPerSecond >= 0) { // this form also refuses NaN
		return errors.New("second_spender: share must be at least 0 and below 1, calls_per_second must not be negative")
	}
	return nil
}

// Traffic counts a tenant's calls since the start or the last reset: calls with valid credentials,
// including those over a limit.
type Traffic struct {
	Customer string `json:"customer"`
	Calls    int    `json:"calls"`
	// OverDay, OverRate and OverInFlight count calls beyond a limit. A call is counted once.
	OverDay      int `json:"over_day"`
	OverRate     int `json:"over_rate"`
	OverInFlight int `json:"over_in_flight"`
	// WorstSecond is the largest number of arrivals within any second.
	WorstSecond int `json:"worst_second"`
	// MostInFlight is the largest number of concurrent calls.
	MostInFlight int       `json:"most_in_flight"`
	First        time.Time `json:"first,omitzero"` // arrival of the first call
	Last         time.Time `json:"last,omitzero"`
	Today        Day       `json:"today"`
	Days         []Day     `json:"days"` // ended days, the last 32
}

// meter counts a tenant's calls and checks them against its limits.
type meter struct {
	mu       sync.Mutex
	limits   Limits
	tokens   float64
	filled   time.Time // when tokens was last updated
	inFlight int
	second   []time.Time // arrivals within the last second, oldest first
	seen     Traffic
}

// verdict says which limit a call exceeds.
type verdict int

const (
	within verdict = iota
	overRate
	overInFlight
)

// arrive counts a call. Unless it exceeds a limit, it is in flight until leave.
func (m *meter) arrive(now time.Time) verdict {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Before(m.seen.Last) {
		now = m.seen.Last // calls may arrive out of order
	}
	m.seen.Calls++
	if m.seen.First.IsZero() {
		m.seen.First = now
	}
	m.seen.Last = now
	m.window(now)
	if m.limits.InFlight > 0 && m.inFlight >= m.limits.InFlight {
		m.seen.OverInFlight++
		return overInFlight
	}
	if !m.take(now) {
		m.seen.OverRate++
		return overRate
	}
	m.inFlight++
	m.seen.MostInFlight = max(m.seen.MostInFlight, m.inFlight)
	return within
}

// window keeps the arrivals of the last second.
func (m *meter) window(now time.Time) {
	old := 0
	for old < len(m.second) && now.Sub(m.second[old]) >= time.Second {
		old++
	}
	m.second = append(m.second[old:], now)
	m.seen.WorstSecond = max(m.seen.WorstSecond, len(m.second))
}

// take removes a call from the bucket, which starts full.
func (m *meter) take(now time.Time) bool {
	const hair = 1e-9 // rounding error
	if m.limits.CallsPerSecond <= 0 {
		return true
	}
	burst := float64(max(m.limits.Burst, 1))
	if m.filled.IsZero() {
		m.tokens = burst
	} else if since := now.Sub(m.filled); since > 0 {
		m.tokens = min(burst, m.tokens+since.Seconds()*m.limits.CallsPerSecond)
	}
	m.filled = now
	if m.tokens < 1-hair {
		return false
	}
	m.tokens--
	return true
}

// wait returns how long until the bucket holds a call again.
func (m *meter) wait() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.limits.CallsPerSecond <= 0 {
		return 0
	}
	return time.Duration((1 - m.tokens) / m.limits.CallsPerSecond * float64(time.Second))
}

func (m *meter) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inFlight--
}

func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen, m.second, m.filled = Traffic{MostInFlight: m.inFlight}, nil, time.Time{}
}

// arrive checks a call against the tenant's limits. It returns nil if the call is within them.
func (c *call) arrive() *answer {
	v := c.tenant.meter.arrive(c.sim.cfg.Now())
	if v == within {
		c.leave = sync.OnceFunc(c.tenant.meter.leave)
		return nil
	}
	a := refuse(http.StatusTooManyRequests, problem{code: codeOther, detail: "Too many requests."})
	wait := time.Second
	if v == overRate {
		wait = c.tenant.meter.wait()
	}
	c.retryAfter(&a, wait)
	return &a
}

// retryAfter adds the header, if the tenant sends it.
func (c *call) retryAfter(a *answer, wait time.Duration) {
	if c.tenant.behaviour.RetryAfter == Present {
		a.header = append(a.header, [2]string{"Retry-After", strconv.Itoa(max(wholeSeconds(wait), 1))})
	}
}

// gone removes the call from those in flight.
func (c *call) gone() {
	if c.leave != nil {
		c.leave()
	}
}

// SetLimits changes the tenant's limits at once. It panics on negative limits.
func (t *Tenant) SetLimits(l Limits) {
	if err := l.check(); err != nil {
		panic("icimstest: " + err.Error())
	}
	t.meter.mu.Lock()
	defer t.meter.mu.Unlock()
	t.meter.limits = l
	t.meter.tokens = min(t.meter.tokens, float64(max(l.Burst, 1)))
}

// Traffic returns the tenant's call counts.
func (t *Tenant) Traffic() Traffic {
	t.meter.mu.Lock()
	seen := t.meter.seen
	t.meter.mu.Unlock()
	q := &t.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	q.roll(t.sim.cfg.Now())
	seen.Customer, seen.OverDay, seen.Today = t.cfg.Customer, q.over, q.day
	seen.Days = append([]Day{}, q.ended...)
	return seen
}

// ResetTraffic resets the counts and fills the bucket. The daily budget is unchanged.
func (t *Tenant) ResetTraffic() { t.meter.reset() }
