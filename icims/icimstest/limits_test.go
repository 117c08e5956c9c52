package icimstest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a settable time for a simulator's Config.Now.
type clock struct{ at atomic.Int64 }

func newClock(at time.Time) *clock {
	c := &clock{}
	c.at.Store(at.UnixNano())
	return c
}

func (c *clock) Now() time.Time { return time.Unix(0, c.at.Load()).UTC() }

func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func TestRateLimit(t *testing.T) {
	clock := newClock(noon)
	cfg := calm()
	cfg.Now = clock.Now
	b := open(t, cfg, func(c *TenantConfig) { c.Limits = Limits{CallsPerSecond: 10, Burst: 3} })
	calls := func(t *testing.T, statuses ...int) {
		t.Helper()
		for _, status := range statuses {
			b.must(status, "GET", "", "")
		}
	}
	traffic := func(t *testing.T, calls, overRate, worst int) {
		t.Helper()
		if got := b.tenant.Traffic(); got.Calls != calls || got.OverRate != overRate || got.WorstSecond != worst {
			t.Errorf("got %+v, want %d calls, %d over the rate, %d in the worst second", got, calls, overRate, worst)
		}
	}
	t.Run("the burst passes at once, and one call more is refused", func(t *testing.T) {
		calls(t, 200, 200, 200, 429)
		traffic(t, 4, 1, 4)
	})
	t.Run("a tenth of a second brings one call back", func(t *testing.T) {
		clock.advance(99 * time.Millisecond)
		calls(t, 429)
		clock.advance(time.Millisecond)
		calls(t, 200, 429)
		traffic(t, 7, 3, 7)
	})
	t.Run("no more than the burst accumulates", func(t *testing.T) {
		clock.advance(time.Hour)
		calls(t, 200, 200, 200, 429)
		traffic(t, 11, 4, 7)
	})
	t.Run("a refused call spends no quota, has no effect and by default no Retry-After", func(t *testing.T) {
		r := b.must(429, "POST", "/people", ana+"}")
		if r.header.Get("Retry-After") != "" || r.header.Get("X-Ratelimit-Remaining") != "9993" {
			t.Error(r.header)
		}
		if n := b.sim.State().Tenants[0].People; n != 0 {
			t.Errorf("%d people", n)
		}
	})
	t.Run("calls with wrong credentials are not the account's", func(t *testing.T) {
		before := b.tenant.Traffic().Calls
		req := b.request("GET", "/customers/1234", "")
		req.SetBasicAuth("user", "x")
		if r := b.send(req); r.status != 401 || b.tenant.Traffic().Calls != before {
			t.Errorf("status %d, %+v", r.status, b.tenant.Traffic())
		}
	})
	t.Run("the limits change at once", func(t *testing.T) {
		b.tenant.SetLimits(Limits{})
		calls(t, 200, 200, 200, 200, 200)
	})
	t.Run("they are violations", func(t *testing.T) {
		if got := b.sim.Invariants().Violations(); len(got) != 1 || got[0] != "5 calls beyond the limit of calls per second" {
			t.Errorf("%q", got)
		}
		b.tenant.ResetTraffic()
		if got := b.sim.Invariants().Violations(); len(got) != 0 {
			t.Errorf("%q", got)
		}
	})
}

func TestWorstSecond(t *testing.T) {
	clock := newClock(noon)
	cfg := calm()
	cfg.Now = clock.Now
	b := open(t, cfg)
	for _, step := range []struct {
		after       time.Duration
		calls, want int
	}{
		{0, 2, 2}, {600 * time.Millisecond, 3, 5},
		{399 * time.Millisecond, 1, 6}, // 0.999 s after the first
		{time.Millisecond, 1, 6},       // the first two are a whole second old
		{time.Second, 4, 6},
	} {
		clock.advance(step.after)
		for range step.calls {
			b.must(200, "GET", "", "")
		}
		if got := b.tenant.Traffic().WorstSecond; got != step.want {
			t.Errorf("after %v more and %d calls: %d", step.after, step.calls, got)
		}
	}
}

func TestCallsInFlight(t *testing.T) {
	// get makes a call without a network and returns its status; 0 means none.
	get := func(t *testing.T, sim *Simulator, patience time.Duration) int {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", "http://sim/customers/1234", http.NoBody)
		if err != nil {
			t.Error(err)
			return 0
		}
		req.SetBasicAuth("user", "secret")
		res, err := sim.Transport().RoundTrip(req)
		if err != nil {
			return 0
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	tenant := TenantConfig{Customer: customer, Username: "user", Password: "secret", Limits: Limits{InFlight: 2}}
	t.Run("a third call beside two is refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			sim := New(Config{Latency: Latency{Rate: 1, Min: time.Second, Max: time.Second}, Quirks: Quirks{None: true}})
			acme := sim.AddTenant(tenant)
			var all sync.WaitGroup
			var refused, served atomic.Int64
			for range 3 {
				all.Go(func() {
					switch status := get(t, sim, time.Minute); status {
					case http.StatusOK:
						served.Add(1)
					case http.StatusTooManyRequests:
						refused.Add(1)
					default:
						t.Errorf("status %d", status)
					}
				})
			}
			all.Wait()
			if got := acme.Traffic(); served.Load() != 2 || refused.Load() != 1 || got.OverInFlight != 1 || got.MostInFlight != 2 {
				t.Errorf("%d served, %d refused, %+v", served.Load(), refused.Load(), got)
			}
			if got := sim.Invariants().Violations(); len(got) != 1 || got[0] != "1 calls beyond the limit of calls in flight" {
				t.Errorf("%q", got)
			}
			if status := get(t, sim, time.Minute); status != http.StatusOK {
				t.Errorf("alone again it is answered %d", status)
			}
		})
	})
	t.Run("a withheld response ends the call's time in flight", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			sim := New(Config{Latency: Latency{None: true}, Quirks: Quirks{None: true}})
			acme := sim.AddTenant(tenant)
			sim.AddRule(Rule{Fault: TimeoutBefore, Times: 5})
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() {
					if status := get(t, sim, time.Second); status != 0 {
						t.Errorf("status %d", status)
					}
				})
				synctest.Wait()
			}
			all.Wait()
			if got := acme.Traffic(); got.OverInFlight != 0 || got.Calls != 5 {
				t.Errorf("%+v", got)
			}
		})
	})
	t.Run("a call after reading the response is never over the limit", func(t *testing.T) {
		cfg := calm()
		cfg.Quirks = Quirks{Chunked: 1} // half of the response arrives before the rest is sent
		b := open(t, cfg, func(c *TenantConfig) { c.Limits.InFlight = 1 })
		for range 200 {
			b.must(200, "GET", "", "")
		}
	})
}

func TestRetryAfter(t *testing.T) {
	clock := newClock(noon.Add(11*time.Hour + 30*time.Minute))
	cfg := calm()
	cfg.Now = clock.Now
	cfg.Behavior.RetryAfter = Present
	for _, c := range []struct {
		name   string
		limits Limits
		daily  int
		want   string
	}{
		{"to the next call of a slow account", Limits{CallsPerSecond: 0.1}, 10, "10"},
		{"at least a second", Limits{CallsPerSecond: 50}, 10, "1"},
		{"to the end of the day", Limits{}, 1, "1800"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, cfg, func(tc *TenantConfig) { tc.Limits, tc.DailyLimit = c.limits, c.daily })
			b.must(200, "GET", "", "")
			if got := b.must(429, "GET", "", "").header.Get("Retry-After"); got != c.want {
				t.Errorf("Retry-After %q, want %q", got, c.want)
			}
		})
	}
}

func TestDays(t *testing.T) {
	clock := newClock(time.Date(2026, 3, 30, 5, 59, 0, 0, time.UTC))
	cfg := calm()
	cfg.Now = clock.Now
	b := open(t, cfg, func(c *TenantConfig) { c.DailyLimit, c.DayStart, c.DayLength = 2, 6*time.Hour, 12*time.Hour })
	rest := func(t *testing.T, remaining, reset string) {
		t.Helper()
		r := b.do("GET", "", "")
		if got := [2]string{r.header.Get("X-Ratelimit-Remaining"), r.header.Get("X-Ratelimit-Reset")}; got != [2]string{remaining, reset} {
			t.Errorf("remaining and reset %v, want %s %s", got, remaining, reset)
		}
	}
	rest(t, "1", "60")
	rest(t, "0", "60")
	rest(t, "0", "60") // one over the limit
	clock.advance(time.Minute)
	rest(t, "1", "43200")
	clock.advance(36 * time.Hour)
	rest(t, "1", "43200")
	want := []Day{
		{Start: time.Date(2026, 3, 29, 18, 0, 0, 0, time.UTC), Limit: 2, Own: 2, Over: 1},
		{Start: time.Date(2026, 3, 30, 6, 0, 0, 0, time.UTC), Limit: 2, Own: 1},
	}
	seen := b.tenant.Traffic()
	if diff := cmp.Diff(want, seen.Days); diff != "" || seen.OverDay != 1 || seen.Today.Own != 1 {
		t.Errorf("%+v\n%s", seen, diff)
	}
}

func TestSecondSpender(t *testing.T) {
	t.Run("it uses its share of all calls", func(t *testing.T) {
		b := open(t, calm(), func(c *TenantConfig) { c.SecondSpender.Share = 0.25 })
		const calls = 3000
		for range calls {
			b.must(200, "GET", "", "")
		}
		// A third of a call for each of the caller's; five standard deviations are 130.
		if got := b.tenant.Traffic().Today; got.Own != calls || math.Abs(float64(got.Others)-1000) > 130 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("the same seed draws the same", func(t *testing.T) {
		spent := func() (rest []string) {
			b := open(t, calm(), func(c *TenantConfig) { c.SecondSpender.Share = 0.6 })
			for range 50 {
				rest = append(rest, b.must(200, "GET", "", "").header.Get("X-Ratelimit-Remaining"))
			}
			return rest
		}
		if diff := cmp.Diff(spent(), spent()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("constant calls continue over the end of the day and stop at the budget", func(t *testing.T) {
		clock := newClock(noon.Add(12*time.Hour - 10*time.Second))
		cfg := calm()
		cfg.Now = clock.Now
		b := open(t, cfg, func(c *TenantConfig) { c.DailyLimit, c.SecondSpender.CallsPerSecond = 20, 1.5 })
		rest := func(t *testing.T, status int, want string) {
			t.Helper()
			if got := b.must(status, "GET", "", "").header.Get("X-Ratelimit-Remaining"); got != want {
				t.Errorf("remaining %s, want %s", got, want)
			}
		}
		clock.advance(3 * time.Second)
		rest(t, 200, "15") // four of the second spender's, one of the caller's
		clock.advance(9 * time.Second)
		rest(t, 200, "16") // three of each in the new day's first two seconds
		clock.advance(time.Minute)
		rest(t, 429, "0")
		want := []Day{{Start: noon.Add(-12 * time.Hour), Limit: 20, Own: 1, Others: 15}}
		seen := b.tenant.Traffic()
		if diff := cmp.Diff(want, seen.Days); diff != "" || seen.Today.Others != 19 || seen.Today.Unused() != 0 {
			t.Errorf("%+v\n%s", seen, diff)
		}
	})
	t.Run("its calls do not affect the rate", func(t *testing.T) {
		b := open(t, calm(), func(c *TenantConfig) {
			c.Limits, c.SecondSpender = Limits{CallsPerSecond: 1, Burst: 5}, SecondSpender{Share: 0.9}
		})
		for range 5 {
			b.must(200, "GET", "", "")
		}
		if got := b.tenant.Traffic(); got.OverRate != 0 || got.Calls != 5 || got.Today.Others != 45 {
			t.Errorf("%+v", got)
		}
	})
}

func TestLimitsAreChecked(t *testing.T) {
	for _, body := range []string{
		`limits: {calls_per_second: -1}`, `limits: {burst: -1}`, `limits: {in_flight: -1}`, `limits: {calls: 1}`,
		`second_spender: {share: 1}`, `second_spender: {share: -0.1}`, `second_spender: {calls_per_second: -1}`,
		`second_spender: {share: .nan}`, `day_length: -1s`, `day_start: -1s`, `behaviour: {retry_after: maybe}`,
	} {
		_, err := LoadTenants(strings.NewReader("tenants:\n- {customer: \"5\", username: u, password: p, " + body + "}\n"))
		if err == nil {
			t.Errorf("%s is accepted", body)
		}
	}
	tenants, err := LoadTenants(strings.NewReader(`tenants: [{customer: "5", username: u, password: p, day_start: 6h, day_length: 1h30m,
		limits: {calls_per_second: 0.5, burst: 3, in_flight: 2}, second_spender: {share: 0.1, calls_per_second: 2}}]`))
	if err != nil {
		t.Fatal(err)
	}
	got := tenants[0]
	if got.DayStart != 6*time.Hour || got.DayLength != 90*time.Minute || got.Limits != (Limits{0.5, 3, 2}) || got.SecondSpender != (SecondSpender{0.1, 2}) {
		t.Errorf("%+v", got)
	}
}

func TestTrafficOverManagement(t *testing.T) {
	b := open(t, calm())
	b.sim.AddTenant(TenantConfig{Customer: "77", Username: "u", Password: "p"})
	set := func(status int, body string) {
		t.Helper()
		if r := b.manage("POST", "limits", body); r.status != status {
			t.Errorf("%s: status %d, %s", body, r.status, r.body)
		}
	}
	set(200, `{"customer":"1234","limits":{"calls_per_second":1,"burst":2},"second_spender":{"share":0.5}}`)
	set(400, `{"customer":"1234","limits":{"calls_per_second":-1}}`)
	set(400, `{"customer":"1234","second_spender":{"share":2}}`)
	for _, status := range []int{200, 200, 429} {
		b.must(status, "GET", "", "")
	}
	read := func(query string) (list []Traffic) {
		t.Helper()
		var out struct{ Traffic []Traffic }
		if err := json.Unmarshal(b.manage("GET", "traffic"+query, "").body, &out); err != nil {
			t.Fatal(err)
		}
		return out.Traffic
	}
	one := read("?customer=1234")
	want := Traffic{
		Customer: "1234", Calls: 3, OverRate: 1, WorstSecond: 3, MostInFlight: 1, First: noon, Last: noon,
		Today: Day{Start: noon.Add(-12 * time.Hour), Limit: 10_000, Own: 2, Others: 2}, Days: []Day{},
	}
	if diff := cmp.Diff([]Traffic{want}, one); diff != "" {
		t.Error(diff)
	}
	if all := read(""); len(all) != 2 || all[1].Customer != "77" {
		t.Errorf("%+v", all)
	}
	b.manage("POST", "reset?only=traffic", "")
	if again := read("?customer=1234")[0]; again.Calls != 0 || again.OverRate != 0 || again.Today.Own != 2 {
		t.Errorf("%+v", again)
	}
	if r := b.manage("GET", "traffic?customer=9", ""); r.status != http.StatusBadRequest {
		t.Error(fmt.Sprint(r.status))
	}
}
