package icimstest

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// SecondSpender is another system that makes calls with the same account. Its calls are only
// counted: they use up the daily budget and show in the rate headers, but do not affect rate and
// calls in flight. It stops at the end of the budget.
type SecondSpender struct {
	// Share is the other system's share of all calls on the account, from 0 to below 1. For each
	// call of the caller it makes Share/(1-Share) calls just before, drawn by the seed.
	Share float64 `yaml:"share" json:"share,omitempty"`
	// CallsPerSecond are made at a constant rate, whether or not the caller makes calls.
	CallsPerSecond float64 `yaml:"calls_per_second" json:"calls_per_second,omitempty"`
}

// Day counts the calls of one budget window.
type Day struct {
	Start  time.Time `json:"start"`
	Limit  int       `json:"limit"`
	Own    int       `json:"own"`    // the caller's, without those over the limit
	Others int       `json:"others"` // the second spender's and SpendQuota's
	Over   int       `json:"over"`   // the caller's calls beyond the limit
}

// Unused returns the unused part of the day's budget.
func (d Day) Unused() int { return max(d.Limit-d.Own-d.Others, 0) }

// keptDays limits how many ended days are kept.
const keptDays = 32

// quota counts a tenant's calls by day, a window of fixed length.
type quota struct {
	mu      sync.Mutex
	length  time.Duration
	begins  time.Duration // start of a day, after midnight UTC
	spender SecondSpender
	day     Day
	ended   []Day
	over    int       // over all days
	counted time.Time // the second spender's constant calls are counted up to here
	owed    float64   // the fraction of a call not counted yet
}

// start returns the start of the day that contains now.
func (q *quota) start(now time.Time) time.Time {
	return now.UTC().Add(-q.begins).Truncate(q.length).Add(q.begins)
}

// end returns when the budget resets.
func (q *quota) end() time.Time { return q.day.Start.Add(q.length) }

// roll counts the second spender's calls and starts a new day if one is due.
func (q *quota) roll(now time.Time) {
	start := q.start(now)
	switch {
	case q.day.Start.IsZero():
		q.day.Start, q.counted = start, now // the second spender starts with the tenant
	case start.After(q.day.Start):
		q.steady(q.end())
		q.ended = append(q.ended, q.day)
		if len(q.ended) > keptDays {
			q.ended = q.ended[1:]
		}
		q.day = Day{Start: start, Limit: q.day.Limit}
		q.counted = start
	}
	q.steady(now)
}

// steady counts the second spender's constant calls.
func (q *quota) steady(until time.Time) {
	if since := until.Sub(q.counted); since > 0 {
		q.owed += q.spender.CallsPerSecond * since.Seconds()
		whole := int(q.owed)
		q.owed -= float64(whole)
		q.counted = until
		q.others(whole)
	}
}

func (q *quota) others(n int) { q.day.Others += min(n, q.day.Unused()) }

// spend takes one call from the day's budget, and returns false if none is left.
func (q *quota) spend(now time.Time, rng *rand.Rand) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.roll(now)
	if s := q.spender.Share; s > 0 {
		each := s / (1 - s)
		n := int(each)
		if rng.Float64() < each-float64(n) {
			n++
		}
		q.others(n)
	}
	if q.day.Unused() == 0 {
		q.over++
		q.day.Over++
		return false
	}
	q.day.Own++
	return true
}

// state returns the values of the rate headers.
func (q *quota) state(now time.Time) (limit, remaining int, reset time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.roll(now)
	return q.day.Limit, q.day.Unused(), q.end().Sub(now)
}

// reset clears all counts.
func (q *quota) reset() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.day = Day{Limit: q.day.Limit}
	q.ended, q.over, q.owed = nil, 0, 0
}

// rateHeaders adds the rate headers; the reset is in seconds, rounded up.
func (c *call) rateHeaders(h http.Header) {
	limit, remaining, reset := c.tenant.quota.state(c.now)
	h["X-Ratelimit-Limit"] = []string{strconv.Itoa(limit)}
	h["X-Ratelimit-Remaining"] = []string{strconv.Itoa(remaining)}
	h["X-Ratelimit-Reset"] = []string{strconv.Itoa(wholeSeconds(reset))}
}

func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// SetDailyLimit changes the tenant's daily limit at once.
func (t *Tenant) SetDailyLimit(limit int) {
	t.quota.mu.Lock()
	defer t.quota.mu.Unlock()
	t.quota.day.Limit = limit
}

// SetSecondSpender changes the second spender at once. It panics on an invalid share.
func (t *Tenant) SetSecondSpender(s SecondSpender) {
	if err := s.check(); err != nil {
		panic("icimstest: " + err.Error())
	}
	t.quota.mu.Lock()
	defer t.quota.mu.Unlock()
	t.quota.roll(t.sim.cfg.Now())
	t.quota.spender = s
}

// SpendQuota uses up n calls, as another user of the same credentials would.
func (t *Tenant) SpendQuota(n int) {
	t.quota.mu.Lock()
	defer t.quota.mu.Unlock()
	t.quota.roll(t.sim.cfg.Now())
	t.quota.others(n)
}
