package icimstest

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// quota counts a tenant's calls per UTC day.
type quota struct {
	mu    sync.Mutex
	limit int
	day   time.Time
	used  int
	over  int // calls made beyond the limit, over all days
}

func midnight(now time.Time) time.Time { return now.UTC().Truncate(24 * time.Hour) }

// roll starts a new window at midnight UTC.
func (q *quota) roll(now time.Time) {
	if day := midnight(now); !day.Equal(q.day) {
		q.day, q.used = day, 0
	}
}

// spend takes one call from today's budget; false means that none was left.
func (q *quota) spend(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.roll(now)
	if q.used >= q.limit {
		q.over++
		return false
	}
	q.used++
	return true
}

func (q *quota) state(now time.Time) (limit, remaining int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.roll(now)
	return q.limit, max(q.limit-q.used, 0)
}

// rateHeaders are on every answer; the reset is in seconds to midnight UTC.
func (c *call) rateHeaders(h http.Header) {
	limit, remaining := c.tenant.quota.state(c.now)
	left := midnight(c.now).Add(24 * time.Hour).Sub(c.now)
	h["X-Ratelimit-Limit"] = []string{strconv.Itoa(limit)}
	h["X-Ratelimit-Remaining"] = []string{strconv.Itoa(remaining)}
	h["X-Ratelimit-Reset"] = []string{strconv.Itoa(int((left + time.Second - 1) / time.Second))}
}

// SetDailyLimit changes the tenant's calls per UTC day at once.
func (t *Tenant) SetDailyLimit(limit int) {
	t.quota.mu.Lock()
	defer t.quota.mu.Unlock()
	t.quota.limit = limit
}

// SpendQuota uses up n calls, as another user of the same credentials would.
func (t *Tenant) SpendQuota(n int) {
	t.quota.mu.Lock()
	defer t.quota.mu.Unlock()
	t.quota.roll(t.sim.cfg.Now())
	t.quota.used = min(t.quota.used+n, t.quota.limit)
}
