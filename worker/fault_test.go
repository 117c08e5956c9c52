package worker_test

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// shortWaits shortens the waits so that faults resolve quickly. It keeps their order (call
// timeout < settle time, lease).
func shortWaits(s *worker.Settings) {
	s.CallTimeout, s.SettleTime, s.Lease = 300*time.Millisecond, 1200*time.Millisecond, 3*time.Second
	s.RetryBudget = time.Hour
}

func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, route := range []string{"people.create", "workflows.create"} {
		for _, fault := range []icimstest.Fault{
			icimstest.Error500Before, icimstest.Error500After, icimstest.TimeoutBefore, icimstest.TimeoutAfter,
			icimstest.ResetBefore, icimstest.ResetAfter, icimstest.ResetMidBody, icimstest.TruncatedJSON, icimstest.HTMLError,
			icimstest.Error503, icimstest.OverlongJSON,
		} {
			t.Run(route+" meets "+string(fault)+" and is done once", func(t *testing.T) {
				t.Parallel()
				r := newRig(t, rigOptions{sim: calm(), settings: shortWaits})
				r.sim.AddRule(icimstest.Rule{Route: route, Fault: fault})
				b := r.run(input.ToJob(job), input.Options{}, ana())
				if inv := r.sim.Invariants(); b.Created != 1 || inv.People != 1 || inv.Workflows != 1 {
					t.Errorf("batch %+v, %d people, %d workflows, calls %v", b, inv.People, inv.Workflows, r.sim.CallCounts())
				}
				r.clean()
			})
		}
	}
}

// With the budget spent, a write with a lost response is still checked. If the export became dead
// immediately, the next export of the email could start before searches show the person.
func TestBudgetEndsInAnUnknownWrite(t *testing.T) {
	t.Parallel()
	brief := func(s *worker.Settings) {
		shortWaits(s)
		s.RetryBudget = time.Millisecond
	}
	t.Run("a write that took effect is adopted; the email stays locked until then", func(t *testing.T) {
		t.Parallel()
		sim := calm()
		sim.Faults.SearchLag = 250 * time.Millisecond
		r := newRig(t, rigOptions{sim: sim, settings: brief})
		r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503})
		r.sim.AddRule(icimstest.Rule{Route: "people.create", Fault: icimstest.Error500After})
		first := r.send(input.Prospects, input.Options{}, ana())
		r.eventually("the response is lost", func() bool { return r.calls("people.create") == 1 })
		twin := ana()
		twin.ID = "c-000124"
		second := r.run(input.Prospects, input.Options{}, twin)
		if b := r.finished(first); b.Created != 1 || second.Updated != 1 {
			t.Errorf("first %+v, second %+v", b, second)
		}
		r.clean()
	})
	t.Run("a write that did not take effect is dead", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), settings: brief})
		r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503})
		r.sim.AddRule(icimstest.Rule{Route: "people.create", Fault: icimstest.Error500Before, Times: -1})
		b := r.run(input.Prospects, input.Options{}, ana())
		if n := r.calls("people.create"); b.Dead != 1 || n != 1 {
			t.Errorf("batch %+v after %d tries", b, n)
		}
	})
	t.Run("a workflow that did not take effect is dead", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), settings: brief})
		r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503})
		r.sim.AddRule(icimstest.Rule{Route: "workflows.create", Fault: icimstest.Error500Before, Times: -1})
		b := r.run(input.ToJob(job), input.Options{}, ana())
		if n := r.calls("workflows.create"); b.Dead != 1 || n != 1 {
			t.Errorf("batch %+v after %d tries", b, n)
		}
	})
}

// A machine's clock may be wrong by an hour. The retry budget is measured by Redis's clock.
func TestRetryBudgetIgnoresTheWorkersClock(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"an hour ahead": time.Hour, "an hour behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm(), ahead: ahead, settings: func(s *worker.Settings) { s.RetryBudget = 30 * time.Minute }})
			r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503, Times: 3})
			b := r.run(input.Prospects, input.Options{}, ana())
			if o := r.outcomes(b.ID)[0]; b.Created != 1 {
				t.Errorf("batch %+v, outcome %+v", b, o)
			}
			r.clean()
		})
	}
	t.Run("a slow clock does not extend it", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), ahead: -time.Hour, settings: func(s *worker.Settings) { s.RetryBudget = 200 * time.Millisecond }})
		r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503, Times: -1})
		b := r.run(input.Prospects, input.Options{}, ana())
		if o := r.outcomes(b.ID)[0]; b.Dead != 1 || o.Reason != store.ReasonBudgetSpent {
			t.Errorf("batch %+v, outcome %+v", b, o)
		}
	})
}

func TestRandomFaults(t *testing.T) {
	t.Parallel()
	sim := icimstest.Config{Seed: 11, Faults: icimstest.Faults{
		Error500Before: 0.03, Error500After: 0.03, TimeoutAfter: 0.01, ResetBefore: 0.02, ResetAfter: 0.02, ResetMidBody: 0.02,
		Error503: 0.02, HTMLError: 0.02, TruncatedJSON: 0.02, SearchLag: 100 * time.Millisecond,
	}}
	r := newRig(t, rigOptions{sim: sim, settings: shortWaits})
	const n = 300
	b := r.run(input.ToJob(job), input.Options{}, people(n)...)
	if inv := r.sim.Invariants(); b.Dead != 0 || inv.People != n || inv.Workflows != n {
		t.Errorf("batch %+v, %d people, %d workflows", b, inv.People, inv.Workflows)
	}
	r.clean()
}

func TestStoppedWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: icimstest.Config{Seed: 3}, settings: shortWaits, conn: limited(200)})
	const n = 200
	id := r.send(input.ToJob(job), input.Options{}, people(n)...)
	r.eventually("some are done", func() bool { return r.sim.Invariants().Workflows > 20 })
	r.worker.Stop()
	live, err := r.ledger.Recovery.Live(t.Context(), customer)
	if err != nil || live == 0 {
		t.Fatalf("stopped too late: %d live, %v", live, err)
	}
	for _, o := range r.outcomes(id) {
		if o.Attempts != 0 {
			t.Fatalf("the stop counted as an attempt: %+v", o)
		}
	}
	r.worker = r.newWorker(shortWaits)
	r.start()
	if b := r.finished(id); b.Created != n {
		t.Errorf("batch %+v", b)
	}
	r.clean()
}
