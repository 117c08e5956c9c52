package icimstest

import (
	"sync/atomic"
	"testing"
	"time"
)

func TestDailyLimit(t *testing.T) {
	var now atomic.Int64
	at := time.Date(2016, 3, 30, 21, 25, 1, 0, time.UTC)
	now.Store(at.Unix())
	cfg := calm()
	cfg.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	limits := func(t *testing.T, r reply, limit, remaining, reset string) {
		t.Helper()
		got := [3]string{r.header.Get("X-Ratelimit-Limit"), r.header.Get("X-Ratelimit-Remaining"), r.header.Get("X-Ratelimit-Reset")}
		if got != [3]string{limit, remaining, reset} {
			t.Errorf("limit, remaining, reset: %v, want %s %s %s", got, limit, remaining, reset)
		}
	}
	b := open(t, cfg, func(c *TenantConfig) { c.DailyLimit = 3 })
	t.Run("every response has limit, remaining and the seconds to midnight UTC", func(t *testing.T) {
		limits(t, b.must(200, "GET", "", ""), "3", "2", "9299")
		limits(t, b.must(404, "GET", "/people/1", ""), "3", "1", "9299")
	})
	t.Run("wrong credentials spend nothing", func(t *testing.T) {
		req := b.request("GET", "/customers/1234", "")
		req.SetBasicAuth("user", "x")
		limits(t, b.send(req), "3", "1", "9299")
	})
	t.Run("beyond the limit it is 429", func(t *testing.T) {
		limits(t, b.must(200, "GET", "", ""), "3", "0", "9299")
		limits(t, b.must(429, "GET", "", ""), "3", "0", "9299")
		if n := b.sim.Invariants().CallsOverLimit; n != 1 {
			t.Errorf("%d calls over the limit", n)
		}
	})
	t.Run("the quota resets at midnight UTC", func(t *testing.T) {
		now.Add(9299)
		limits(t, b.must(200, "GET", "", ""), "3", "2", "86400")
	})
	t.Run("other users' calls count", func(t *testing.T) {
		b.tenant.SpendQuota(1)
		limits(t, b.must(200, "GET", "", ""), "3", "0", "86400")
	})
	t.Run("the limit may change", func(t *testing.T) {
		b.tenant.SetDailyLimit(10)
		limits(t, b.must(200, "GET", "", ""), "10", "6", "86400")
	})
	for _, status := range []int{403, 503} {
		cfg := calm()
		cfg.Behavior.QuotaStatus = status
		b := open(t, cfg)
		b.tenant.SpendQuota(1 << 20)
		if r := b.must(status, "GET", "", ""); r.header.Get("X-Ratelimit-Remaining") != "0" {
			t.Error(r.header)
		}
	}
	t.Run("the default is 10,000 a day", func(t *testing.T) {
		if got := open(t, calm()).must(200, "GET", "", "").header.Get("X-Ratelimit-Limit"); got != "10000" {
			t.Error(got)
		}
	})
}
