package quota_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/quota"
	"github.com/seekout/icims-export/store/redistest"
)

// permitRig requests permits as processes do, with its own clock.
type permitRig struct {
	t      *testing.T
	redis  redis.UniversalClient
	quota  *quota.Store
	now    time.Time
	limits quota.Limits
	first  int64
}

// generous are limits that do not bind. The burst allows ten permits at once for express and bulk.
var generous = quota.Limits{CallsPerSecond: 1000, Burst: 40, InFlight: 100, CallsPerDay: 1_000_000, ExpressReserve: 5}

// noon is the start time of the tests.
var noon = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func newPermitRig(t *testing.T, limits quota.Limits) *permitRig {
	t.Helper()
	r := &permitRig{t: t, redis: redistest.Shared(t).Client(t), now: noon, limits: limits}
	r.quota = quota.NewSimulated(r.redis)
	r.pass(0)
	return r
}

func (r *permitRig) pass(d time.Duration) {
	r.t.Helper()
	r.now = r.now.Add(d)
	if err := r.redis.Set(r.t.Context(), quota.SimulatedClockKey, r.now.UnixMilli(), 0).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// request returns a request of worker a with the rig's limits.
func (r *permitRig) request(express, bulk int, returned ...quota.Returned) quota.Request {
	r.first += 100
	return quota.Request{
		Worker: "a", Credentials: "one", Limits: r.limits, Hold: 40 * time.Second, CallTimeout: 30 * time.Second, First: r.first, Express: express, Bulk: bulk, Returned: returned,
	}
}

func (r *permitRig) ask(q quota.Request) quota.Answer {
	r.t.Helper()
	a, err := r.quota.Ask(r.t.Context(), "1234", q)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r *permitRig) bulk(n int, returned ...quota.Returned) quota.Answer {
	r.t.Helper()
	return r.ask(r.request(0, n, returned...))
}

func (r *permitRig) status() quota.Status {
	r.t.Helper()
	s, err := r.quota.Statuses(r.t.Context(), quota.Caller{Customer: "1234"})
	if err != nil {
		r.t.Fatal(err)
	}
	return s[0]
}

// answered returns a permit whose call got a status and no headers.
func answered(p quota.Permit, status int) quota.Returned {
	return quota.Returned{Permit: p, Status: status, Limit: quota.Absent, Remaining: quota.Absent, Reset: quota.Absent, RetryAfter: quota.Absent}
}

// counted returns a permit whose response reports the budget.
func counted(p quota.Permit, limit, remaining int, reset time.Duration) quota.Returned {
	a := answered(p, 200)
	a.Limit, a.Remaining, a.Reset = limit, remaining, int(reset.Seconds())
	return a
}

// lasts returns how long a closure lasts, counted from the rig's time.
func (r *permitRig) lasts(c quota.Closure) time.Duration {
	// Closures use the caller's clock.
	return time.Until(c.Until).Round(time.Second)
}

func TestPermitsInFlight(t *testing.T) {
	limits := generous
	limits.InFlight = 3
	t.Run("no more are given than may be in flight", func(t *testing.T) {
		r := newPermitRig(t, limits)
		a := r.bulk(5)
		if len(a.Permits) != 3 || !a.Full || a.AskAgain == 0 {
			t.Fatalf("%+v", a)
		}
		if a = r.bulk(5); len(a.Permits) != 0 {
			t.Fatalf("three in flight, and given %d more", len(a.Permits))
		}
	})
	t.Run("one that comes back makes room in the same request", func(t *testing.T) {
		r := newPermitRig(t, limits)
		a := r.bulk(3)
		if a = r.bulk(2, answered(a.Permits[0], 200)); len(a.Permits) != 1 {
			t.Errorf("given %d", len(a.Permits))
		}
	})
	t.Run("those of a process that died come back when they expire", func(t *testing.T) {
		r := newPermitRig(t, limits)
		r.bulk(3)
		r.pass(39 * time.Second)
		if a := r.bulk(1); len(a.Permits) != 0 {
			t.Fatal("given before the expiry")
		}
		r.pass(2 * time.Second)
		if a := r.bulk(3); len(a.Permits) != 3 {
			t.Errorf("given %d", len(a.Permits))
		}
	})
	t.Run("a process that has waited long goes before the one that gives back", func(t *testing.T) {
		r := newPermitRig(t, limits)
		mine := r.bulk(3).Permits
		other := func() quota.Answer {
			q := r.request(0, 1)
			q.Worker = "b"
			return r.ask(q)
		}
		var a quota.Answer
		for range 10 {
			if a = other(); len(a.Permits) != 0 {
				t.Fatal("given although full")
			}
			r.pass(a.AskAgain)
		}
		if a = r.bulk(1, answered(mine[0], 200)); len(a.Permits) != 0 {
			t.Fatal("the one that gave back got it again")
		}
		if a = other(); len(a.Permits) != 1 {
			t.Errorf("the other got %d", len(a.Permits))
		}
	})
	t.Run("one that has died while it waited is waited for no longer", func(t *testing.T) {
		r := newPermitRig(t, limits)
		mine := r.bulk(3).Permits
		q := r.request(0, 1)
		q.Worker = "b"
		r.ask(q)
		r.pass(time.Second)
		if a := r.bulk(1, answered(mine[0], 200)); len(a.Permits) != 1 {
			t.Errorf("given %d", len(a.Permits))
		}
	})
}

func TestPermitsAreIdempotent(t *testing.T) {
	t.Run("a repeated request returns the same permits", func(t *testing.T) {
		r := newPermitRig(t, generous)
		q := r.request(1, 2)
		r.ask(q)
		if a := r.ask(q); len(a.Permits) != 3 {
			t.Errorf("the repetition was given %d", len(a.Permits))
		}
		if s := r.status(); s.InFlight != 3 || s.Own != 3 {
			t.Errorf("%d in flight, %d calls", s.InFlight, s.Own)
		}
	})
	t.Run("permits of a lost reply are returned by number", func(t *testing.T) {
		r := newPermitRig(t, generous)
		q := r.request(0, 2)
		r.ask(q)
		lost := []quota.Returned{quota.Unused(quota.UnknownPermit("a", q.First)), quota.Unused(quota.UnknownPermit("a", q.First+1))}
		r.bulk(0, lost...)
		if s := r.status(); s.InFlight != 0 || s.Own != 0 {
			t.Errorf("%d in flight, %d calls", s.InFlight, s.Own)
		}
	})
	t.Run("a permit that is given back twice counts once", func(t *testing.T) {
		r := newPermitRig(t, generous)
		p := r.bulk(3).Permits
		for range 2 {
			r.bulk(0, quota.Unused(p[0]))
		}
		if s := r.status(); s.InFlight != 2 || s.Own != 2 {
			t.Errorf("%d in flight, %d calls", s.InFlight, s.Own)
		}
	})
}

func TestPermitRate(t *testing.T) {
	// Half of a burst of 10 is for jitter; express uses 5, bulk 3.
	limits := generous
	limits.CallsPerSecond, limits.Burst = 5, 10
	t.Run("bulk uses its part of the burst, then slots a little ahead of their time", func(t *testing.T) {
		r := newPermitRig(t, limits)
		a := r.bulk(10)
		if got := afters(a); got != "[0s 0s 0s]" || a.AskAgain != 100*time.Millisecond {
			t.Errorf("slots %s, again in %s", got, a.AskAgain)
		}
		r.pass(a.AskAgain)
		if got := afters(r.bulk(10)); got != "[100ms]" {
			t.Errorf("slots %s", got)
		}
	})
	t.Run("express overtakes bulk", func(t *testing.T) {
		r := newPermitRig(t, limits)
		r.bulk(10)
		if got := afters(r.ask(r.request(1, 0))); got != "[0s]" {
			t.Errorf("slot %s", got)
		}
	})
	t.Run("a clock that is set back neither stops calls nor allows too many", func(t *testing.T) {
		r := newPermitRig(t, limits)
		r.bulk(10)
		r.pass(-time.Hour)
		granted := 0
		for range 20 {
			granted += len(r.bulk(10).Permits)
			r.pass(100 * time.Millisecond)
		}
		// The burst is available again, plus the slots of two seconds.
		if granted < 5 || granted > limits.Burst+2*5 {
			t.Errorf("granted %d", granted)
		}
	})
	t.Run("of ten permits bulk gets one, however much express there is", func(t *testing.T) {
		r := newPermitRig(t, limits)
		express, bulk := 0, 0
		for range 200 {
			q := r.request(3, 3)
			a := r.ask(q)
			var back []quota.Returned
			for _, p := range a.Permits {
				back = append(back, answered(p, 200))
				if p.Express {
					express++
				} else {
					bulk++
				}
			}
			r.pass(max(a.AskAgain, time.Millisecond))
			r.bulk(0, back...)
		}
		if share := float64(bulk) / float64(express+bulk); share < 0.08 || share > 0.15 {
			t.Errorf("%d to express, %d to bulk", express, bulk)
		}
	})
}

func afters(a quota.Answer) string {
	var list []time.Duration
	for _, p := range a.Permits {
		list = append(list, p.After)
	}
	return fmt.Sprint(list)
}

func TestOlderResponsesDoNotReopenASpentBudget(t *testing.T) {
	r := newPermitRig(t, generous)
	p := r.bulk(2).Permits
	told := func(p quota.Permit, remaining int) quota.Returned {
		a := answered(p, 200)
		a.Remaining, a.Reset = remaining, 3600
		return a
	}
	r.bulk(0, told(p[0], 0))
	// iCIMS counted it before the other and answered it later.
	if a := r.bulk(1, told(p[1], 3)); len(a.Permits) != 0 || a.Closed.Reason != "icims_quota_exhausted" {
		t.Errorf("%+v", a)
	}
	r.pass(time.Hour + 2*time.Second)
	if a := r.bulk(1); len(a.Permits) != 1 {
		t.Errorf("in the next window: %+v", a)
	}
}

func TestLateness(t *testing.T) {
	for _, c := range []struct {
		rate  float64
		burst int
		want  time.Duration
	}{
		{10, 1, 20 * time.Millisecond},
		{5, 10, 500 * time.Millisecond},
		{0.1, 20, 5 * time.Second}, // its permit expires then
	} {
		if got := (quota.Limits{CallsPerSecond: c.rate, Burst: c.burst}).Lateness(); got != c.want {
			t.Errorf("%g calls a second with a burst of %d: %s, want %s", c.rate, c.burst, got, c.want)
		}
	}
}

func TestBudget(t *testing.T) {
	limits := generous
	limits.CallsPerDay = 1000
	t.Run("iCIMS's other counted calls belong to other users, and leave a margin for them", func(t *testing.T) {
		r := newPermitRig(t, limits)
		p := r.bulk(1).Permits
		r.bulk(0, counted(p[0], 1000, 899, 5*time.Hour))
		s := r.status()
		// The other user's share is 100 of 101 calls: twice that of 100 in flight, plus two.
		if s.Own != 1 || s.Foreign != 100 || s.Left != 899-2-199 {
			t.Errorf("%+v", s)
		}
		if ends := time.Until(s.WindowEnd).Round(time.Second); ends != 5*time.Hour+time.Second {
			t.Errorf("the window ends in %s", ends)
		}
	})
	t.Run("a count that turns out too high comes down", func(t *testing.T) {
		r := newPermitRig(t, limits)
		p := r.bulk(5).Permits
		var back []quota.Returned
		for _, lost := range p {
			back = append(back, answered(lost, 0)) // a broken connection: iCIMS may not have received it
		}
		p = r.bulk(1, back...).Permits
		r.bulk(0, counted(p[0], 1000, 999, time.Hour))
		if s := r.status(); s.Own != 1 || s.Foreign != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("a reset that lies a day ahead has begun a new window", func(t *testing.T) {
		r := newPermitRig(t, limits)
		p := r.bulk(3).Permits
		r.bulk(0, counted(p[0], 1000, 600, time.Minute))
		r.pass(time.Minute) // iCIMS has reset, our window ends a second later
		p = r.bulk(1).Permits
		r.bulk(0, counted(p[0], 1000, 999, 24*time.Hour))
		if s := r.status(); s.Own > 3 || s.Foreign != 0 || s.Left < 790 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("an answer of the window before says nothing about this one", func(t *testing.T) {
		r := newPermitRig(t, limits)
		p := r.bulk(2).Permits
		r.bulk(0, counted(p[0], 1000, 1, time.Minute))
		r.pass(2 * time.Minute)
		r.bulk(1, counted(p[1], 1000, 0, 0))
		if s := r.status(); !s.ClosedExpress.Open() || s.Foreign != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("iCIMS's limit replaces an assumed one, and bounds one that is set", func(t *testing.T) {
		for _, c := range []struct {
			assumed bool
			set     int
			want    int
		}{{true, 1000, 3000}, {false, 1000, 1000}, {false, 5000, 3000}} {
			r := newPermitRig(t, limits)
			r.limits.DayAssumed, r.limits.CallsPerDay = c.assumed, c.set
			p := r.bulk(1).Permits
			r.bulk(0, counted(p[0], 3000, 2999, time.Hour))
			if s := r.status(); s.Budget != c.want || s.Left != c.want-1 {
				t.Errorf("%+v: %+v", c, s)
			}
		}
	})
	t.Run("part of the day is kept for express, less with each hour", func(t *testing.T) {
		r := newPermitRig(t, limits) // 12 hours before the end
		p := r.bulk(1).Permits
		r.bulk(0, counted(p[0], 1000, 20, 12*time.Hour))
		r.limits.InFlight = 1 // so that the margin for other users is small
		a := r.bulk(1)
		s := r.status()
		if len(a.Permits) != 0 || a.Closed.Reason != "icims_quota_exhausted" || !a.ClosedExpress.Open() || s.Reserve < 25 {
			t.Fatalf("%+v, standing %+v", a, s)
		}
		x := r.ask(r.request(1, 0))
		if len(x.Permits) != 1 {
			t.Fatalf("express: %+v", x)
		}
		r.bulk(0, quota.Unused(x.Permits[0]))
		// The reply says when the next bulk permit is available.
		r.pass(r.lasts(a.Closed) - 5*time.Second)
		if a := r.bulk(1); len(a.Permits) != 0 {
			t.Error("given before its time")
		}
		r.pass(10 * time.Second)
		if a := r.bulk(1); len(a.Permits) != 1 {
			t.Errorf("not given in time: %+v", a)
		}
	})
	t.Run("without recent news of other users, one call at a time", func(t *testing.T) {
		r := newPermitRig(t, limits)
		p := r.bulk(1).Permits
		r.bulk(0, counted(p[0], 1000, 899, 5*time.Hour))
		r.pass(2 * time.Minute)
		a := r.bulk(5)
		if len(a.Permits) != 1 {
			t.Fatalf("given %d", len(a.Permits))
		}
		if a = r.bulk(5, counted(a.Permits[0], 1000, 850, 5*time.Hour)); len(a.Permits) != 5 {
			t.Errorf("afterwards given %d", len(a.Permits))
		}
	})
	t.Run("closing and opening are events", func(t *testing.T) {
		r := newPermitRig(t, limits)
		p := r.bulk(3).Permits
		r.bulk(0, answered(p[0], 401), answered(p[1], 401))
		r.pass(2 * time.Minute)
		p = append(p[2:], r.bulk(1).Permits...)
		r.bulk(0, answered(p[1], 200))
		events, err := r.redis.XRange(t.Context(), "ix:{1234}:events", "-", "+").Result()
		if err != nil || len(events) != 2 {
			t.Fatalf("%+v, %v", events, err)
		}
		until := strconv.FormatInt(noon.Add(time.Minute).UnixMilli(), 10)
		closed, opened := events[0].Values, events[1].Values
		if closed["k"] != "closed" || closed["t"] != "icims_credentials" || closed["u"] != until || opened["k"] != "opened" {
			t.Errorf("%+v", events)
		}
	})
}

func TestRefusedSearchesCloseCallsUnlessOthersSucceed(t *testing.T) {
	t.Parallel()
	const refused = 1403
	r := newPermitRig(t, generous)
	p := r.bulk(3).Permits
	if a := r.bulk(1, answered(p[0], 200), answered(p[1], refused)); len(a.Permits) != 1 || !a.Closed.Open() {
		t.Fatalf("just after a success: %+v", a)
	}
	for _, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		r.pass(time.Hour)
		a := r.bulk(2)
		closed := r.bulk(0, answered(a.Permits[0], refused), answered(a.Permits[1], refused)).Closed
		if closed.Reason != "icims_search_refused" || r.lasts(closed) != want {
			t.Errorf("closed by %q for %s, want %s", closed.Reason, r.lasts(closed), want)
		}
	}
	r.pass(time.Hour)
	r.bulk(0, answered(r.bulk(1).Permits[0], 200))
	if a := r.bulk(1); len(a.Permits) != 1 || !r.status().Closed.Open() {
		t.Errorf("after a success: %+v, %+v", a, r.status().Closed)
	}
}

func TestControlCallIgnoresAVerdictAndItsSuccessEndsIt(t *testing.T) {
	t.Parallel()
	r := newPermitRig(t, generous)
	errand := func(n int, returned ...quota.Returned) quota.Answer {
		q := r.request(n, 0, returned...)
		q.Worker, q.Control = "a.verify", true
		return r.ask(q)
	}
	p := r.bulk(1).Permits[0]
	if a := r.bulk(1, answered(p, 401)); len(a.Permits) != 0 || a.Closed.Reason != "icims_credentials" {
		t.Fatalf("after a 401: %+v", a)
	}
	a := errand(1)
	if len(a.Permits) != 1 || !a.Closed.Open() || !a.ClosedExpress.Open() {
		t.Fatalf("an errand: %+v", a)
	}
	if a = errand(1, answered(a.Permits[0], 401)); len(a.Permits) != 1 || r.status().Closed.Open() {
		t.Errorf("refused again: %+v, %+v", a, r.status().Closed)
	}
	errand(0, answered(a.Permits[0], 200))
	if got := r.bulk(1); len(got.Permits) != 1 || !r.status().Closed.Open() {
		t.Errorf("after its success exports get %+v, %+v", got, r.status().Closed)
	}
	// Control tasks cannot exceed the budget either.
	spent := errand(1)
	errand(0, counted(spent.Permits[0], 100, 0, time.Hour))
	if got := errand(1); len(got.Permits) != 0 || got.ClosedExpress.Reason != "icims_quota_exhausted" {
		t.Errorf("without calls left: %+v", got)
	}
}

// A server that replaces another one may have lost the latest calls.
func TestAnotherServerGrantsNoCallTooMany(t *testing.T) {
	t.Parallel()
	for name, keeps := range map[string]bool{"whose copy has some of the calls": true, "whose copy is older than the first call": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := generous
			limits.CallsPerSecond, limits.Burst, limits.ExpressReserve = 5, 4, 0
			r := newPermitRig(t, limits)
			ctx := t.Context()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			const state = "ix:{1234}:limits"
			must(r.redis.Set(ctx, quota.SimulatedServerKey, "one", 0).Err())
			r.ask(r.request(1, 0))
			copied, err := r.redis.Dump(ctx, state).Result()
			must(err)
			granted := 0
			for len(r.ask(r.request(1, 0)).Permits) == 1 {
				granted++
			}
			if granted == 0 {
				t.Fatal("the burst is spent at once")
			}
			must(r.redis.Del(ctx, state, "ix:{1234}:flying").Err())
			if keeps {
				must(r.redis.RestoreReplace(ctx, state, 0, copied).Err())
			}
			must(r.redis.Set(ctx, quota.SimulatedServerKey, "two", 0).Err())

			for _, wait := range []time.Duration{0, time.Second, r.request(1, 0).CallTimeout - 2*time.Second} {
				r.pass(wait)
				if a := r.ask(r.request(1, 0)); len(a.Permits) != 0 {
					t.Errorf("a call is granted although the lost ones may be in flight: %+v", a)
				}
			}
			r.pass(2 * time.Second)
			if a := r.ask(r.request(1, 0)); len(a.Permits) != 1 {
				t.Errorf("no call is granted when the lost ones must be over: %+v", a)
			}
		})
	}
}
