package worker_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

const noJob = 99

// proxyPage is a 404 page of a proxy.
func proxyPage(route string, times int) icimstest.Rule {
	return icimstest.Rule{Route: route, Times: times, Fault: icimstest.HTMLError, Status: http.StatusNotFound}
}

func (r *rig) allDead(b store.Batch, n int, reason store.Reason) {
	r.t.Helper()
	if b.Dead != n {
		r.t.Errorf("batch %+v, want %d dead", b, n)
	}
	for _, o := range r.outcomes(b.ID) {
		if o.Reason != reason {
			r.t.Fatalf("outcome %+v, want %s", o, reason)
		}
	}
}

func TestWrongJobMakesNoProfile(t *testing.T) {
	t.Parallel()
	const n = 40

	t.Run("a missing job is read once for all processes", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		second := r.newWorker(nil)
		r.start()
		r.must(second.Start(t.Context()))
		t.Cleanup(second.Stop)
		r.allDead(r.run(input.ToJob(noJob), input.Options{}, people(n)...), n, store.ReasonJobNotFound)
		if people, reads := r.sim.Invariants().People, r.calls("jobs.get"); people != 0 || reads != 1 || r.calls("workflows.create") != 0 {
			t.Errorf("%d profiles, %d reads of the job: %v", people, reads, r.sim.CallCounts())
		}
		r.clean()
	})

	t.Run("an existing job is read once for consecutive batches", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		all := people(2 * n)
		for _, some := range [][]input.Candidate{all[:n], all[n:]} {
			if b := r.run(input.ToJob(job), input.Options{}, some...); b.Created != n {
				t.Errorf("batch %+v", b)
			}
		}
		if reads := r.calls("jobs.get"); reads != 1 {
			t.Errorf("the job was read %d times", reads)
		}
		r.clean()
	})

	t.Run("a job created meanwhile is found by the next batch and by a retry", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		all := people(3)
		first := r.run(input.ToJob(noJob), input.Options{}, all[:1]...)
		r.allDead(first, 1, store.ReasonJobNotFound)
		r.tenant.AddJob(icimstest.Job{ID: noJob, Title: "Welder"})
		if b := r.run(input.ToJob(noJob), input.Options{}, all[1:]...); b.Created != 2 {
			t.Errorf("next batch %+v", b)
		}
		r.clean()
	})

	t.Run("a missing right to read jobs stops no export", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
			r := newRig(t, rigOptions{sim: calm(), tenant: func(c *icimstest.TenantConfig) {
				c.DeniedRoutes, c.Behavior = []string{"jobs.get"}, &icimstest.Behavior{MissingRightStatus: status}
			}})
			if b := r.run(input.ToJob(job), input.Options{}, people(n)...); b.Created != n {
				t.Errorf("status %d: batch %+v\n%s", status, b, r.logs.Tail())
			}
			if reads := r.calls("jobs.get"); reads != 1 {
				t.Errorf("status %d: the job was read %d times", status, reads)
			}
			r.clean()
		}
	})

	t.Run("without that right, the first refusal of the job stops the others", func(t *testing.T) {
		t.Parallel()
		const atOnce = 5
		r := newRig(t, rigOptions{
			sim: calm(), settings: func(s *worker.Settings) { s.LaneConcurrency = atOnce },
			tenant: func(c *icimstest.TenantConfig) { c.DeniedRoutes = []string{"jobs.get"} },
		})
		b := r.run(input.ToJob(noJob), input.Options{}, people(n)...)
		r.allDead(b, n, store.ReasonJobNotFound)
		if made := r.sim.Invariants().People; made > atOnce || b.WithoutWorkflow != made {
			t.Errorf("%d profiles created, the batch counts %d", made, b.WithoutWorkflow)
		}
		r.clean()
	})

	for name, rule := range map[string]icimstest.Rule{
		"a proxy's page is not an answer": proxyPage("jobs.get", 2),
		"a fault of iCIMS is retried":     {Route: "jobs.get", Times: 2, Fault: icimstest.StatusBefore, Status: http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm()})
			r.sim.AddRule(rule)
			if b := r.run(input.ToJob(job), input.Options{}, people(3)...); b.Created != 3 {
				t.Errorf("batch %+v\n%s", b, r.logs.Tail())
			}
			r.clean()
		})
	}

	t.Run("an unreadable job does not stop the exports", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		r.sim.AddRule(proxyPage("jobs.get", -1))
		if b := r.run(input.ToJob(job), input.Options{}, people(3)...); b.Created != 3 {
			t.Errorf("batch %+v\n%s", b, r.logs.Tail())
		}
		r.clean()
	})
}

// before runs f at the first POST of a workflow, before iCIMS receives it.
func (r *rig) beforeWorkflow(do func()) {
	done := make(chan struct{}, 1)
	r.sim.AddRule(icimstest.Rule{Route: "workflows.create", Fault: icimstest.FaultNone, Times: -1, Match: func(icimstest.Call) bool {
		select {
		case done <- struct{}{}:
			do()
		default:
		}
		return false
	}})
}

func TestNotFoundDistinguishesJobAndPerson(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, meanwhile func(r *rig), rules ...icimstest.Rule) (*rig, store.Batch, store.Outcome) {
		t.Helper()
		r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) { s.SettleTime = time.Second }})
		if meanwhile != nil {
			r.beforeWorkflow(func() { meanwhile(r) })
		}
		for _, rule := range rules {
			r.sim.AddRule(rule)
		}
		b := r.run(input.ToJob(job), input.Options{}, ana())
		r.clean()
		return r, b, r.outcomes(b.ID)[0]
	}
	email := ana().Email

	t.Run("a purged person is created again", func(t *testing.T) {
		t.Parallel()
		var gone int64
		r, b, o := run(t, func(r *rig) {
			gone = r.tenant.PeopleWithEmail(email)[0]
			r.tenant.Purge(gone)
		})
		if b.Created != 1 || o.Workflow == 0 || o.Person == gone || r.calls("people.create") != 2 {
			t.Errorf("batch %+v, outcome %+v, %v\n%s", b, o, r.sim.CallCounts(), r.logs.Tail())
		}
	})

	t.Run("a merge is followed to a person with another email", func(t *testing.T) {
		t.Parallel()
		var survivor int64
		r, b, o := run(t, func(r *rig) {
			made := r.tenant.PeopleWithEmail(email)[0]
			survivor = r.tenant.AddPerson(existing(map[string]any{"email": "ana.private@example.com"}))
			r.tenant.Merge(made, survivor)
		}, icimstest.Rule{Route: "workflows.create", Fault: icimstest.StatusBefore, Status: http.StatusNotFound, Code: 2})
		if b.Dead != 0 || o.Person != survivor || o.Workflow == 0 || r.calls("people.create") != 1 {
			t.Errorf("batch %+v, outcome %+v, survivor %d, %v\n%s", b, o, survivor, r.sim.CallCounts(), r.logs.Tail())
		}
	})

	t.Run("a deleted job is reported as missing", func(t *testing.T) {
		t.Parallel()
		r, b, o := run(t, func(r *rig) { r.tenant.RemoveJob(job) })
		if b.Dead != 1 || o.Reason != store.ReasonJobNotFound || b.WithoutWorkflow != 1 {
			t.Errorf("batch %+v, outcome %+v\n%s", b, o, r.logs.Tail())
		}
	})

	t.Run("if both exist, the export is retried", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		r.sim.AddRule(icimstest.Rule{Route: "workflows.create", Times: 2, Fault: icimstest.StatusBefore, Status: http.StatusNotFound, Code: 2})
		if b := r.run(input.ToJob(job), input.Options{}, ana()); b.Created != 1 {
			t.Errorf("batch %+v\n%s", b, r.logs.Tail())
		}
		r.clean()
	})

	for _, route := range []string{"workflows.create", "people.get", "people.create"} {
		t.Run("a proxy's page about "+route+" proves nothing", func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) { s.SettleTime = time.Second }})
			if route == "people.get" {
				r.tenant.AddPerson(existing(map[string]any{"email": email}))
			}
			r.sim.AddRule(proxyPage(route, 1))
			b := r.run(input.ToJob(job), input.Options{}, ana())
			if b.Created+b.Updated != 1 || len(r.tenant.PeopleWithEmail(email)) != 1 {
				t.Errorf("batch %+v, %v\n%s", b, r.sim.CallCounts(), r.logs.Tail())
			}
			r.clean()
		})
	}
}

func TestNewBatchSettlesDeadLetters(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), tenant: func(c *icimstest.TenantConfig) { c.DeniedRoutes = []string{"jobs.get"} }})
	all := people(3)
	wrong := r.run(input.ToJob(noJob), input.Options{}, all...)
	r.allDead(wrong, 3, store.ReasonJobNotFound)
	made := wrong.WithoutWorkflow
	if made == 0 || made != r.sim.Invariants().People {
		t.Fatalf("%d profiles without a workflow of %d", made, r.sim.Invariants().People)
	}

	// Prospects reach no job, so the dead letters stay.
	if b := r.run(input.Prospects, included, all[:1]...); b.Created+b.Updated != 1 {
		t.Fatalf("prospects %+v", b)
	}
	if b := r.finished(wrong.ID); b.Dead != 3 {
		t.Errorf("after an export to no job: %+v", b)
	}

	right := r.run(input.ToJob(job), included, all[:2]...)
	if right.Created+right.Updated != 2 {
		t.Fatalf("batch %+v", right)
	}
	old := r.finished(wrong.ID)
	if old.Dead != 1 || old.Cancelled != 2 || old.WithoutWorkflow > 1 {
		t.Errorf("the old batch %+v", old)
	}
	for _, o := range r.outcomes(wrong.ID)[:2] {
		story, err := r.ledger.Timeline(t.Context(), store.Ref{Customer: customer, Export: o.Export})
		if err != nil || o.Reason != store.ReasonSettled || o.State != store.Cancelled {
			t.Fatalf("outcome %+v, %v", o, err)
		}
		if last := story[len(story)-1]; last.What != "settled" || len(last.Findings) != 1 || last.Findings[0] != "Batch "+string(right.ID)+" has exported the candidate to job 1701" {
			t.Errorf("timeline %+v", last)
		}
	}
	if n, err := r.ledger.DeadLetters.Count(t.Context(), customer); err != nil || n != 1 {
		t.Errorf("%d dead letters, %v", n, err)
	}
	r.clean()
	if broken := r.auditLedger(); len(broken) > 0 {
		t.Errorf("the audit finds %+v", broken)
	}
}

// asynq's archive and the ledger agree immediately.
func TestSettledDeadLettersLeaveTheArchive(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), tenant: func(c *icimstest.TenantConfig) { c.DeniedRoutes = []string{"jobs.get"} }})
	all := people(3)
	wrong := r.run(input.ToJob(noJob), input.Options{}, all...)
	r.allDead(wrong, 3, store.ReasonJobNotFound)
	r.eventually("all are archived", func() bool { return len(r.archived()) == 3 })
	if right := r.run(input.ToJob(job), included, all[:2]...); right.Created+right.Updated != 2 {
		t.Fatalf("batch %+v", right)
	}
	if n, err := r.ledger.DeadLetters.Count(t.Context(), customer); err != nil || n != 1 {
		t.Fatalf("%d dead letters, %v", n, err)
	}
	r.eventually("one task is archived", func() bool { return len(r.archived()) == 1 })
	if got, want := r.archived()[0], customer+":"+r.outcomes(wrong.ID)[2].Export; got != want {
		t.Errorf("archived %s, want %s", got, want)
	}
	r.clean()
}
