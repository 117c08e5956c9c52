package quota_test

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/seekout/icims-export/store/quota"
)

// account simulates iCIMS: it checks the calls against its own limits.
type account struct {
	limits   quota.Limits
	resetsAt time.Duration // of the day
	share    float64       // of calls by other users, relative to ours
	hidden   bool          // no headers in responses
	refuses  bool          // calls over the rate get a 429

	windowEnd time.Time
	used, own int
	owed      float64 // calls that other users have yet to make
	tokens    float64
	filled    time.Time
	flying    int

	overRate, overFlight, overDay int
	unused                        []int // at each reset
}

func (a *account) roll(now time.Time) {
	for !now.Before(a.windowEnd) {
		if !a.windowEnd.IsZero() {
			a.unused = append(a.unused, a.limits.CallsPerDay-a.used)
		}
		next := now.Truncate(24 * time.Hour).Add(a.resetsAt)
		if !next.After(now) {
			next = next.Add(24 * time.Hour)
		}
		a.windowEnd, a.used, a.own = next, 0, 0
	}
}

// arrive counts a call, and returns what its response will say.
func (a *account) arrive(now time.Time) quota.Returned {
	a.roll(now)
	burst := float64(a.limits.Burst)
	if a.filled.IsZero() {
		a.tokens = burst
	}
	a.tokens, a.filled = min(burst, a.tokens+now.Sub(a.filled).Seconds()*a.limits.CallsPerSecond), now
	a.flying++
	if a.flying > a.limits.InFlight {
		a.overFlight++
	}
	over := a.tokens < 1-1e-6
	if over {
		a.overRate++
	}
	if over && a.refuses {
		return a.counts(now, quota.Returned{Status: 429})
	}
	a.tokens--
	if a.used >= a.limits.CallsPerDay {
		a.overDay++
		return quota.Returned{Status: 429, Limit: a.limits.CallsPerDay, Remaining: 0, Reset: int(a.windowEnd.Sub(now).Seconds()), RetryAfter: quota.Absent}
	}
	a.used++
	a.own++
	a.owed += a.share / (1 - a.share)
	for ; a.owed >= 1 && a.used < a.limits.CallsPerDay; a.owed-- {
		a.used++
	}
	return a.counts(now, quota.Returned{Status: 200})
}

// counts adds the headers to a response.
func (a *account) counts(now time.Time, r quota.Returned) quota.Returned {
	r.Limit, r.Remaining, r.Reset, r.RetryAfter = a.limits.CallsPerDay, a.limits.CallsPerDay-a.used, int(a.windowEnd.Sub(now).Seconds()), quota.Absent
	if a.hidden {
		r.Limit, r.Remaining, r.Reset = quota.Absent, quota.Absent, quota.Absent
	}
	return r
}

// fleet is a number of processes that want more calls than permitted.
type fleet struct {
	*permitRig
	rng     *rand.Rand
	account *account
	latency time.Duration // of calls, at most
	prompt  bool          // calls arrive in order and take equally long
	loss    float64       // of Redis replies
	repeats float64       // of requests, whose first reply is lost
	deaths  float64       // of processes, at each request
	giveUps float64       // of callers, before their call
	rests   float64       // of processes without work
	express float64       // of requested permits
	demand  int           // permits a process requests at most
	born    int
	events  events
	asks    int
	calls   []time.Time // arrivals
}

type fleetProcess struct {
	name     string
	in       int // held permits
	returned []quota.Returned
	next     time.Time // of the planned request
	dead     bool
	full     bool // waits for permits in flight
}

type event struct {
	at time.Time
	n  int // tie-breaker: the first planned comes first
	do func()
}

type events struct {
	list []event
	n    int
}

func (e *events) Len() int { return len(e.list) }
func (e *events) Less(i, j int) bool {
	if c := e.list[i].at.Compare(e.list[j].at); c != 0 {
		return c < 0
	}
	return e.list[i].n < e.list[j].n
}
func (e *events) Swap(i, j int) { e.list[i], e.list[j] = e.list[j], e.list[i] }
func (e *events) Push(x any)    { e.list = append(e.list, x.(event)) }
func (e *events) Pop() any {
	last := e.list[len(e.list)-1]
	e.list = e.list[:len(e.list)-1]
	return last
}

func (f *fleet) plan(at time.Time, do func()) {
	f.events.n++
	heap.Push(&f.events, event{at, f.events.n, do})
}

// upTo returns a random time up to d, in whole milliseconds like all times here.
func (f *fleet) upTo(d time.Duration) time.Duration {
	return time.Duration(f.rng.Int64N(d.Milliseconds()+1)) * time.Millisecond
}

// run runs the fleet for a time.
func (f *fleet) run(processes int, d time.Duration) {
	f.t.Helper()
	end := f.now.Add(d)
	for range processes {
		f.spawn()
	}
	for f.events.Len() > 0 {
		e := heap.Pop(&f.events).(event)
		if e.at.After(end) {
			break
		}
		if e.at.After(f.now) {
			f.now = e.at
		}
		e.do()
	}
	f.now = end
	f.pass(0)
	f.account.roll(end)
}

func (f *fleet) spawn() {
	f.born++
	f.planAsk(&fleetProcess{name: "process-" + strconv.Itoa(f.born)}, f.upTo(time.Second))
}

// planAsk plans a request, unless an earlier one is planned.
func (f *fleet) planAsk(p *fleetProcess, in time.Duration) {
	at := f.now.Add(in)
	if !p.next.IsZero() && !at.Before(p.next) {
		return
	}
	p.next = at
	f.plan(at, func() {
		if p.dead || !p.next.Equal(at) {
			return
		}
		p.next = time.Time{}
		f.work(p)
	})
}

func (f *fleet) work(p *fleetProcess) {
	if f.rng.Float64() < f.deaths {
		p.dead = true
		f.plan(f.now.Add(f.upTo(10*time.Second)), f.spawn)
		return
	}
	wants := max(f.demand-p.in, 0)
	if f.rng.Float64() < f.rests { // all its queues are empty for a moment
		wants = 0
		defer f.planAsk(p, f.upTo(5*time.Second))
	}
	express := 0
	for range wants {
		if f.rng.Float64() < f.express {
			express++
		}
	}
	f.pass(0)
	q := f.request(express, wants-express, p.returned...)
	q.Worker = p.name
	f.asks++
	a := f.ask(q)
	if f.rng.Float64() < f.repeats {
		a = f.ask(q)
	}
	if f.rng.Float64() < f.loss {
		for i := range wants {
			p.returned = append(p.returned, quota.Unused(quota.UnknownPermit(p.name, q.First+int64(i))))
		}
		f.planAsk(p, 100*time.Millisecond)
		return
	}
	p.returned, p.full = nil, a.Full
	for _, permit := range a.Permits {
		p.in++
		f.use(p, permit, a.Limits.Lateness())
	}
	switch {
	case len(a.Permits) < wants && !a.ClosedExpress.Open():
		f.planAsk(p, max(f.lasts(a.ClosedExpress), 0)+time.Millisecond)
	case a.AskAgain > 0:
		f.planAsk(p, a.AskAgain.Truncate(time.Millisecond)+time.Millisecond)
	case !a.Closed.Open():
		f.planAsk(p, max(f.lasts(a.Closed), 0)+time.Millisecond)
	}
}

// use makes the call of a permit, or returns it unused.
func (f *fleet) use(p *fleetProcess, permit quota.Permit, late time.Duration) {
	latency := f.upTo(f.latency)
	if f.prompt {
		late, latency = time.Millisecond, f.latency
	}
	done := func(r quota.Returned) {
		if p.dead {
			return
		}
		r.Permit = permit
		p.in--
		p.returned = append(p.returned, r)
		switch {
		case r.Status == 429 && r.Remaining > 0: // reported immediately
			f.planAsk(p, 0)
		case p.full || p.next.IsZero(): // otherwise it goes with the next request
			f.planAsk(p, f.upTo(5*time.Millisecond))
		}
	}
	if f.rng.Float64() < f.giveUps {
		f.plan(f.now.Add(f.upTo(late)), func() { done(quota.Unused(permit)) })
		return
	}
	// Late by the tolerance for process and network. The caller's clock ticks in whole
	// milliseconds.
	slot := f.now.Add(permit.After).Add(time.Millisecond - 1).Truncate(time.Millisecond)
	leaves := max(slot.Sub(f.now), 0) + f.upTo(max(late+min(permit.After, 0), 0))
	f.plan(f.now.Add(leaves+f.upTo(late-time.Millisecond)), func() {
		if p.dead && f.rng.IntN(2) == 0 {
			return
		}
		f.calls = append(f.calls, f.now)
		answer := f.account.arrive(f.now)
		f.plan(f.now.Add(latency), func() {
			f.account.flying--
			done(answer)
		})
	})
}

func newFleet(t *testing.T, seed uint64, limits quota.Limits) *fleet {
	t.Helper()
	return newFleetOn(newPermitRig(t, limits), seed)
}

func newFleetOn(r *permitRig, seed uint64) *fleet {
	f := &fleet{
		permitRig: r, rng: rand.New(rand.NewPCG(seed, 7)),
		latency: 200 * time.Millisecond, demand: 8, express: 0.1,
		account: &account{limits: r.limits},
	}
	f.account.roll(f.now)
	return f
}

// TestFleetKeepsTheLimits runs processes that lose replies and crash, under random limits, and
// checks the calls that iCIMS receives.
func TestFleetKeepsTheLimits(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 3))
			pick := func(values ...float64) float64 { return values[rng.IntN(len(values))] }
			limits := quota.Limits{
				CallsPerSecond: pick(1, 5, 20, 50), Burst: int(pick(10, 20)), InFlight: int(pick(1, 4, 16, 64, 64)), CallsPerDay: 1_000_000, ExpressReserve: 5,
			}
			f := newFleet(t, seed, limits)
			f.giveUps, f.rests, f.express, f.demand = pick(0, 0.05, 0.3), pick(0, 0.1, 0.5), pick(0, 0.1, 1), int(pick(8, 30))
			f.loss, f.deaths, f.latency = pick(0, 0.02), pick(0, 0.01), time.Duration(pick(20, 200, 3000))*time.Millisecond
			f.run(1+rng.IntN(4), 90*time.Second)
			a := f.account
			if a.overRate+a.overFlight+a.overDay > 0 || len(f.calls) == 0 {
				t.Errorf("%+v: %d calls; over the rate %d, in flight %d, over the day %d", limits, len(f.calls), a.overRate, a.overFlight, a.overDay)
			}
			t.Logf("%+v: %d calls, %d requests", limits, len(f.calls), f.asks)
		})
	}
}

// TestFleetUsesTheRate gives four processes enough work to use the full rate.
func TestFleetUsesTheRate(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{20, 50, 100} {
		limits := quota.Limits{CallsPerSecond: rate, Burst: 20, InFlight: 64, CallsPerDay: 1_000_000, ExpressReserve: 5}
		f := newFleet(t, 1, limits)
		f.demand = 20
		f.run(4, 2*time.Minute)
		minute := 0
		for _, at := range f.calls {
			if at.Sub(noon) >= 30*time.Second && at.Sub(noon) < 90*time.Second {
				minute++
			}
		}
		if used := float64(minute) / (60 * rate); used < 0.995 || f.account.overRate > 0 {
			t.Errorf("%.1f %% of %v calls a second are used, %d over", 100*used, rate, f.account.overRate)
		}
		t.Logf("%v a second: %d in a minute, %.2f requests a call", rate, minute, float64(f.asks)/float64(len(f.calls)))
	}
}

// TestFleetFindsTheRate runs processes whose limits are higher than iCIMS's own, which allows no
// burst.
func TestFleetFindsTheRate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		own   float64 // iCIMS's calls per second; ours is 5
		most  int     // 429s in the first minute
		share float64 // of iCIMS's rate, in that minute
	}{
		{"iCIMS allows the same rate", 5, 5, 0.6},
		{"iCIMS allows less", 3, 8, 0.6},
		{"iCIMS allows far less", 1, 10, 0.3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, 1, quota.Limits{CallsPerSecond: 5, Burst: 10, InFlight: 4, CallsPerDay: 10_000, ExpressReserve: 5})
			a := f.account
			a.refuses, a.limits.CallsPerSecond, a.limits.Burst = true, c.own, 1
			f.run(2, time.Minute)
			minute := a.used
			if share := float64(minute) / (60 * c.own); a.overRate > c.most || share < c.share {
				t.Errorf("first minute: %d refused, want at most %d; %.0f%% of the rate used, want %.0f%%", a.overRate, c.most, 100*share, 100*c.share)
			}
			t.Logf("first minute: %d refused, %d accepted", a.overRate, minute)
			a.overRate = 0
			f.run(0, 29*time.Minute)
			if share := float64(a.used-minute) / (29 * 60 * c.own); share < 0.75 || a.overRate > 60 {
				t.Errorf("then: %d refused, %.0f%% of the rate used", a.overRate, 100*share)
			}
			t.Logf("then: %d refused, %d accepted", a.overRate, a.used-minute)
		})
	}
}

// TestFleetKeepsTheDay spends the budgets of several days, shared with another user.
func TestFleetKeepsTheDay(t *testing.T) {
	cases := []struct {
		name      string
		share     float64
		hidden    bool
		assumed   bool
		loss      float64
		inFlight  int
		processes int
		clocks    bool // the day does not start at midnight UTC
		prompt    bool
		unused    int // of 1,000, on a full day
	}{
		{name: "alone, all calls are used", clocks: true, inFlight: 4, processes: 2, unused: 0},
		{name: "alone, with answers of Redis lost and callers who give up", inFlight: 4, processes: 2, loss: 0.02, unused: 2},
		{name: "alone, without a word from iCIMS", inFlight: 4, processes: 2, hidden: true, unused: 5},
		{name: "an assumed budget gives way to the true one", inFlight: 4, processes: 2, assumed: true, unused: 0},
		{name: "with others who take a tenth", clocks: true, share: 0.1, inFlight: 4, processes: 3, unused: 10},
		{name: "with others who take a tenth, and many calls in flight", share: 0.1, inFlight: 16, processes: 4, unused: 10},
		{name: "with others who take half, and calls that take long", share: 0.5, inFlight: 16, processes: 2, prompt: true, unused: 20},
		{name: "with others who take half, and many calls in flight", share: 0.5, inFlight: 16, processes: 2, unused: 20},
	}
	for _, c := range cases {
		for i, resets := range []time.Duration{0, 7*time.Hour + 13*time.Minute} {
			if i > 0 && !c.clocks {
				continue
			}
			t.Run(c.name+map[int]string{0: ", by UTC", 1: ", by another clock"}[i], func(t *testing.T) {
				t.Parallel()
				limits := quota.Limits{CallsPerSecond: 2, Burst: 4, InFlight: c.inFlight, CallsPerDay: 1000, ExpressReserve: 5}
				if c.inFlight > 4 {
					limits.CallsPerSecond, limits.Burst = 40, 20
				}
				f := newFleet(t, 1, limits)
				f.account.resetsAt, f.account.windowEnd = resets, time.Time{}
				f.account.roll(f.now)
				f.account.share, f.account.hidden, f.loss, f.giveUps = c.share, c.hidden, c.loss, c.loss
				f.express = 0
				if f.prompt = c.prompt; f.prompt {
					// Without the hourly steps of the reserve, the budget ends at full rate.
					f.latency, f.express = time.Second, 1
				}
				if c.assumed {
					f.limits.CallsPerDay, f.limits.DayAssumed = 5000, true
				}
				f.run(c.processes, 44*time.Hour)
				if f.account.overDay > 0 {
					t.Errorf("%d calls over the day's budget", f.account.overDay)
				}
				if most := slices.Max(f.account.unused); most > c.unused || len(f.account.unused) < 2 {
					t.Errorf("unused at the resets: %v, want at most %d", f.account.unused, c.unused)
				}
				t.Logf("unused %v, %d requests for %d calls", f.account.unused, f.asks, len(f.calls))
			})
		}
	}
}
