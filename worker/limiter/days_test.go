package limiter

import (
	"errors"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store/quota"
)

// Three days of one account, in simulated time: four processes want more calls than there are,
// and another user of the account takes a tenth of them. The simulator counts. DAYS_SEEDS=n tries
// more random sequences of the other user's calls.

const (
	daysBudget    = 1000
	daysDemand    = 5000
	daysShare     = 0.1
	daysProcesses = 4
)

func TestThreeDaysOfBudget(t *testing.T) {
	seeds := uint64(3)
	if text := os.Getenv("DAYS_SEEDS"); text != "" {
		var err error
		if seeds, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("DAYS_SEEDS must be a number, not %q", text)
		}
	}
	for seed := range seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			limiters(t, func(t *testing.T, r *rig) { r.threeDays(seed) })
		})
	}
}

// threeDays lasts until the third whole day is over. The hour at which iCIMS's day begins is only
// in its headers.
func (r *rig) threeDays(seed uint64) {
	const begins, whole = 7 * time.Hour, 3
	sim := icimstest.New(icimstest.Config{
		Seed: seed, Latency: icimstest.Latency{Rate: 1, Min: 20 * time.Millisecond, Max: 200 * time.Millisecond}, KeepCalls: -1,
	})
	acme := sim.AddTenant(icimstest.TenantConfig{
		Customer: "1234", Username: "export-user", Password: "made-up", DailyLimit: daysBudget, DayStart: begins,
		SecondSpender: icimstest.SecondSpender{Share: daysShare}, Limits: icimstest.Limits{CallsPerSecond: 5, Burst: 10, InFlight: 4},
	})
	limits := quota.Limits{CallsPerSecond: 5, Burst: 10, InFlight: 4, CallsPerDay: daysBudget, ExpressReserve: 5}
	ended := func() bool { return len(acme.Traffic().Days) > whole }

	left, mu := daysDemand, sync.Mutex{}
	take := func(n int) bool {
		mu.Lock()
		defer mu.Unlock()
		left -= n
		return left >= 0
	}
	var all sync.WaitGroup
	for range daysProcesses {
		l := r.limiter(limits)
		calls := l.Middleware(sim.Transport())
		for range 10 { // concurrent exports of a lane
			all.Go(func() {
				for !ended() && take(1) {
					if wait := r.oneOf(calls); wait > 0 {
						take(-1)
						time.Sleep(wait)
					}
				}
			})
		}
	}
	all.Wait()

	seen := acme.Traffic()
	if n := seen.OverDay + seen.OverRate + seen.OverInFlight; n > 0 {
		r.t.Errorf("%d calls over a limit: %+v", n, seen)
	}
	for i, day := range seen.Days {
		// The first day is not whole: its budget may exceed what can be used until its end.
		r.t.Logf("day %d: own %d, others %d, over %d, unused %d of %d", i, day.Own, day.Others, day.Over, day.Unused(), day.Limit)
		if day.Unused() > day.Limit/100 {
			r.t.Errorf("day %d: %d calls are left unused", i, day.Unused())
		}
	}
}

// oneOf makes one call. It returns how long calls are closed; 0 after a call.
func (r *rig) oneOf(calls http.RoundTripper) time.Duration {
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://sim/customers/1234", http.NoBody)
	if err != nil {
		r.t.Error(err)
		return time.Hour
	}
	req.SetBasicAuth("export-user", "made-up")
	answer, err := calls.RoundTrip(req)
	if refused, ok := errors.AsType[*icims.RefusedError](err); ok {
		if refused.Until.IsZero() {
			return max(refused.After, time.Second)
		}
		return max(time.Until(refused.Until), time.Second)
	}
	if err != nil {
		r.t.Error(err)
		return time.Hour
	}
	_ = answer.Body.Close()
	return 0
}
