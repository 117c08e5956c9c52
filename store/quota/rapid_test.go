package quota_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seekout/icims-export/store/quota"
)

// TestNeverACallOverWhateverHappens runs processes with random limits for two days of an account.
// They lose replies, repeat requests, crash and abandon calls; calls are slow; iCIMS refuses bursts; another user spends
// the same budget evenly and in bursts; and only headers reveal when iCIMS's day starts. The
// account counts by itself.
func TestNeverACallOverWhateverHappens(t *testing.T) {
	t.Parallel()
	const budget = 400
	shared := newPermitRig(t, generous)
	rapid.Check(t, func(rt *rapid.T) {
		limits := quota.Limits{
			CallsPerSecond: rapid.SampledFrom([]float64{20, 50, 100}).Draw(rt, "rate"), Burst: rapid.SampledFrom([]int{10, 20}).Draw(rt, "burst"),
			CallsPerDay: budget, ExpressReserve: rapid.SampledFrom([]int{0, 5, 20}).Draw(rt, "reserve"),
		}
		share := rapid.SampledFrom([]float64{0, 0, 0.1, 0.2}).Draw(rt, "second spender's share")
		limits.InFlight = rapid.IntRange(1, 4).Draw(rt, "in flight")
		if share > 0 { // so that the margin for calls in flight is below one percent
			limits.InFlight = min(limits.InFlight, 2)
		}
		if err := shared.redis.FlushDB(t.Context()).Err(); err != nil {
			rt.Fatal(err)
		}
		rig := *shared
		rig.now, rig.limits = noon, limits
		f := newFleetOn(&rig, rapid.Uint64().Draw(rt, "seed"))
		a := f.account
		a.resetsAt, a.windowEnd = time.Duration(rapid.IntRange(0, 24*60-1).Draw(rt, "minute of the reset"))*time.Minute, time.Time{}
		a.roll(f.now)
		a.share = share
		// iCIMS may allow a lower rate without a burst, and answer 429 to other calls.
		a.refuses = rapid.Bool().Draw(rt, "refuses")
		if a.refuses {
			a.limits.CallsPerSecond, a.limits.Burst = limits.CallsPerSecond*rapid.SampledFrom([]float64{1, 0.5, 0.1}).Draw(rt, "of the rate"), 1
		}
		f.demand, f.express = rapid.IntRange(1, 10).Draw(rt, "demand"), rapid.SampledFrom([]float64{0, 0.1, 1}).Draw(rt, "express")
		f.latency = time.Duration(rapid.SampledFrom([]int{5, 50, 300}).Draw(rt, "latency ms")) * time.Millisecond
		f.loss, f.repeats = rapid.SampledFrom([]float64{0, 0.05}).Draw(rt, "loss"), rapid.SampledFrom([]float64{0, 0.05}).Draw(rt, "repeats")
		f.deaths, f.giveUps = rapid.SampledFrom([]float64{0, 0.01}).Draw(rt, "deaths"), rapid.SampledFrom([]float64{0, 0.05}).Draw(rt, "give-ups")
		f.limits.DayAssumed = rapid.Bool().Draw(rt, "assumed")
		if f.limits.DayAssumed {
			f.limits.CallsPerDay = rapid.SampledFrom([]int{100, 5000}).Draw(rt, "assumed budget")
		}
		if a.share > 0 {
			for range rapid.IntRange(0, 3).Draw(rt, "bursts") {
				f.plan(f.now.Add(f.upTo(36*time.Hour)), func() {
					a.roll(f.now)
					if n := 1 + f.rng.IntN(20); a.used+n < budget*9/10 {
						a.used += n
					}
				})
			}
		}
		f.run(rapid.IntRange(1, 3).Draw(rt, "processes"), 36*time.Hour)

		if a.refuses {
			if a.overRate > len(f.calls)/5 {
				rt.Fatalf("%d of %d calls over the rate", a.overRate, len(f.calls))
			}
			a.overRate = 0
		}
		if a.overDay+a.overRate+a.overFlight > 0 {
			rt.Fatalf("calls over: day %d, rate %d, in flight %d", a.overDay, a.overRate, a.overFlight)
		}
		wasted := budget / 100
		if f.deaths+f.giveUps > 0 {
			wasted++ // the last permit of a day may stay unused
		}
		if a.refuses {
			wasted += budget / 20 // a pause after a 429 may outlast the day
		}
		for i, unused := range a.unused {
			if unused > wasted {
				rt.Fatalf("%d of %d calls unused on day %d", unused, budget, i)
			}
		}
	})
}

// TestLateResponsesCount runs a process with little work that returns its permits an hour
// late, while another user spends the same budget.
func TestLateResponsesCount(t *testing.T) {
	t.Parallel()
	const budget = 400
	f := newFleet(t, 0x20c, quota.Limits{CallsPerSecond: 20, Burst: 10, InFlight: 2, CallsPerDay: budget, ExpressReserve: 5})
	a := f.account
	a.resetsAt, a.windowEnd, a.share = 51*time.Minute, time.Time{}, 0.2
	a.roll(f.now)
	f.demand, f.express, f.latency = 1, 1, 5*time.Millisecond
	f.loss, f.deaths, f.giveUps = 0.05, 0.01, 0.05
	f.plan(f.now.Add(f.upTo(36*time.Hour)), func() {
		a.roll(f.now)
		if n := 1 + f.rng.IntN(20); a.used+n < budget*9/10 {
			a.used += n
		}
	})
	f.run(1, 36*time.Hour)
	if a.overDay > 0 {
		t.Errorf("%d calls over the day's budget", a.overDay)
	}
}
