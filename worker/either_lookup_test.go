package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// The tests named TestEitherWorld run exports in both positions of a switch of the simulator.
// docs/fidelity.md has the table.

// unverified is the profile of a connection that was never verified.
var unverified = store.TenantProfile{}

// tenantRig returns a rig with a behavior of the simulator and a profile of the connection.
func tenantRig(t *testing.T, b icimstest.Behavior, p store.TenantProfile, change ...func(*rigOptions)) *rig {
	t.Helper()
	sim := calm()
	sim.Behavior = b
	o := rigOptions{sim: sim, conn: func(c *store.Connection) { c.Profile = p }}
	for _, f := range change {
		f(&o)
	}
	return newRig(t, o)
}

// shortBudget makes exports dead after a second of failures.
func shortBudget(o *rigOptions) {
	o.settings = func(s *worker.Settings) { s.RetryBudget = time.Second }
}

// knows adds candidates to iCIMS and returns their IDs there.
func (r *rig) knows(candidates ...input.Candidate) []int64 {
	ids := make([]int64, len(candidates))
	for i, c := range candidates {
		ids[i] = r.tenant.AddPerson(map[string]any{"firstname": c.FirstName, "lastname": c.LastName, "email": c.Email})
	}
	return ids
}

// holds checks the number of people and workflows in iCIMS, each once.
func (r *rig) holds(people, workflows int) {
	r.t.Helper()
	if inv := r.sim.Invariants(); inv.People != people || inv.Workflows != workflows || len(inv.Violations()) > 0 {
		r.t.Errorf("%d people and %d workflows, want %d and %d: %v\n%s", inv.People, inv.Workflows, people, workflows, inv.Violations(), r.logs.Tail())
	}
	r.clean()
}

// ended checks the counts of a batch.
func (r *rig) ended(b store.Batch, created, updated, dead int) {
	r.t.Helper()
	if b.Created != created || b.Updated != updated || b.Dead != dead {
		r.t.Errorf("%d created, %d updated, %d dead, want %d, %d and %d: %+v\n%s", b.Created, b.Updated, b.Dead, created, updated, dead, r.outcomes(b.ID), r.logs.Tail())
	}
}

// TestEitherWorldSeveralAddresses: row 1.
func TestEitherWorldSeveralAddresses(t *testing.T) {
	t.Parallel()
	const n = 100
	for _, w := range []struct {
		values, group string
		or            store.Answer
	}{
		{icimstest.First, icimstest.Any, store.Yes},
		{icimstest.Any, icimstest.Any, store.Yes},
		{icimstest.First, icimstest.Any, ""},
		{icimstest.First, icimstest.First, store.No},
		{icimstest.First, icimstest.First, ""},
		{icimstest.First, icimstest.Refused, store.No},
		{icimstest.Any, icimstest.Refused, ""},
	} {
		t.Run(fmt.Sprintf("values %s, group %s, known %q", w.values, w.group, w.or), func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, icimstest.Behavior{TextValues: w.values, GroupOr: w.group}, store.TenantProfile{SearchOr: w.or, ReadsPair: store.Yes})
			all := people(n)
			r.knows(all...)
			r.ended(r.run(input.ToJob(job), input.Options{}, all...), 0, n, 0)
			r.holds(n, n)
			// 50 addresses per call, and a few more while neighbors are unknown.
			if searches := r.calls("search.people"); w.or == store.Yes && searches > n/10 || w.or != store.Yes && searches != n {
				t.Errorf("%d searches for people", searches)
			}
		})
	}
}

// TestEitherWorldUnreadableEmail: row 2.
func TestEitherWorldUnreadableEmail(t *testing.T) {
	t.Parallel()
	const n = 10
	for _, view := range []string{icimstest.Shown, icimstest.Hidden} {
		for _, or := range []store.Answer{store.Yes, ""} {
			name := fmt.Sprintf("e-mail %s, known %q: ", view, or)
			world, profile := icimstest.Behavior{EmailView: view}, store.TenantProfile{SearchOr: or}
			t.Run(name+"known people are adopted, new ones created", func(t *testing.T) {
				t.Parallel()
				r := tenantRig(t, world, profile)
				all := people(n)
				r.knows(all[:n/2]...)
				r.ended(r.run(input.ToJob(job), input.Options{}, all...), n/2, n/2, 0)
				r.holds(n, n)
			})
			t.Run(name+"one of two people with the address", func(t *testing.T) {
				t.Parallel()
				r := tenantRig(t, world, profile)
				r.knows(ana(), ana())
				b := r.run(input.ToJob(job), input.Options{}, ana())
				if inv := r.sim.Invariants(); inv.People != 2 {
					t.Errorf("%d people", inv.People)
				}
				if view == icimstest.Hidden {
					r.allDead(b, 1, store.ReasonEmailUnreadable)
				} else {
					r.ended(b, 0, 1, 0)
				}
			})
			t.Run(name+"a person made a moment ago, whom searches do not show yet", func(t *testing.T) {
				t.Parallel()
				r := tenantRig(t, world, profile, func(o *rigOptions) { o.sim.Faults.SearchLag = time.Hour })
				again := ana()
				again.ID = "c-000124"
				r.ended(r.run(input.ToJob(job), input.Options{}, ana()), 1, 0, 0)
				r.ended(r.run(input.ToJob(job), input.Options{}, again), 0, 1, 0)
				r.holds(1, 1)
			})
			t.Run(name+"a longer address is nobody, if it can be read", func(t *testing.T) {
				t.Parallel()
				r := tenantRig(t, world, profile)
				longer := ana()
				longer.Email = "mari" + longer.Email
				r.knows(longer)
				b := r.run(input.ToJob(job), input.Options{}, ana())
				if view == icimstest.Hidden {
					r.allDead(b, 1, store.ReasonEmailUnreadable)
					r.holds(1, 0)
				} else {
					r.ended(b, 1, 0, 0)
					r.holds(2, 1)
				}
			})
		}
	}
}

// TestEitherWorldExistingPair: row 8.
func TestEitherWorldExistingPair(t *testing.T) {
	t.Parallel()
	const n = 20
	for _, w := range []struct {
		search, route, second string
		reads                 store.Answer
	}{
		{icimstest.Finds, icimstest.Present, icimstest.Allow, store.Yes},
		{icimstest.Finds, icimstest.Present, icimstest.Allow, ""},
		{icimstest.Misses, icimstest.Present, icimstest.Allow, store.Yes},
		{icimstest.Misses, icimstest.Present, icimstest.Allow, ""},
		{icimstest.Misses, icimstest.Present, icimstest.Reject400, ""},
		{icimstest.Finds, icimstest.Absent, icimstest.Allow, store.No},
		{icimstest.Finds, icimstest.Absent, icimstest.Allow, ""},
		{icimstest.Finds, icimstest.Denied, icimstest.Allow, store.No},
		{icimstest.Finds, icimstest.Denied, icimstest.Allow, ""},
		{icimstest.Finds, icimstest.Denied, icimstest.Allow, store.Yes}, // the right was withdrawn
		{icimstest.Misses, icimstest.Absent, icimstest.ReturnExisting, store.No},
		{icimstest.Denied, icimstest.Present, icimstest.Allow, store.Yes},
		{icimstest.Denied, icimstest.Present, icimstest.Allow, ""},
		{icimstest.Refused, icimstest.Present, icimstest.Allow, store.Yes},
		{icimstest.Refused, icimstest.Present, icimstest.Reject400, ""},
	} {
		t.Run(fmt.Sprintf("search %s, route %s, second %s, known %q", w.search, w.route, w.second, w.reads), func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, icimstest.Behavior{PairSearch: w.search, PairRoute: w.route, DuplicateWorkflow: w.second},
				store.TenantProfile{SearchOr: store.Yes, ReadsPair: w.reads})
			all := people(2 * n)
			for _, id := range r.knows(all...)[:n] { // n of them are on the job already
				r.tenant.AddWorkflow(id, job, "D10100")
			}
			r.ended(r.run(input.ToJob(job), input.Options{}, all...), 0, 2*n, 0)
			r.holds(2*n, 2*n)
			switch asked := r.calls("workflows.pair"); {
			case w.reads == store.No && asked > 0:
				t.Errorf("%d calls of a route known to be missing", asked)
			case w.route == icimstest.Present && w.search == icimstest.Finds && asked != n:
				t.Errorf("%d calls for %d people without a workflow", asked, n)
			}
		})
	}
	hidden := icimstest.Behavior{PairSearch: icimstest.Misses, PairRoute: icimstest.Absent, DuplicateWorkflow: icimstest.Allow}
	unseen := store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.No, FindsPair: store.No}
	t.Run("hidden from search and route", func(t *testing.T) {
		t.Parallel()
		r := tenantRig(t, hidden, unseen)
		all := people(3 * n)
		for _, id := range r.knows(all[:2*n]...)[:n] {
			r.tenant.AddWorkflow(id, job, "D10100")
		}
		// Existing people may be on the job, so their exports become dead. New people are
		// exported.
		b := r.run(input.ToJob(job), input.Options{}, all...)
		if inv := r.sim.Invariants(); b.Created != n || b.Dead != 2*n || inv.People != 3*n || inv.Workflows != 2*n || len(inv.Violations()) > 0 {
			t.Errorf("%+v; %d people, %d workflows, %v", b, inv.People, inv.Workflows, inv.Violations())
		}
		for _, o := range r.outcomes(b.ID) {
			if o.State == store.Dead && o.Reason != store.ReasonLinkUnreadable {
				t.Errorf("%+v", o)
			}
		}
	})
	t.Run("hidden from search and route, created by an earlier export", func(t *testing.T) {
		t.Parallel()
		r := tenantRig(t, hidden, unseen)
		all := people(n)
		r.ended(r.run(input.ToJob(job), input.Options{}, all...), n, 0, 0)
		for _, key := range r.redis.Keys(t.Context(), "ix:{"+customer+"}:k:*").Val() { // as after an hour
			r.must(r.redis.Del(t.Context(), key).Err())
		}
		r.ended(r.run(input.ToJob(job), input.Options{IncludePreviouslyExported: true}, all...), 0, n, 0)
		r.holds(n, n)
	})
	t.Run("hidden from search and route, iCIMS refuses a second one", func(t *testing.T) {
		t.Parallel()
		world := hidden
		world.DuplicateWorkflow = icimstest.Reject400
		r := tenantRig(t, world, store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.No})
		all := people(2 * n)
		for _, id := range r.knows(all...)[:n] {
			r.tenant.AddWorkflow(id, job, "D10100")
		}
		r.ended(r.run(input.ToJob(job), input.Options{}, all...), 0, n, n)
		r.holds(2*n, 2*n)
	})
	t.Run("a gateway without the route", func(t *testing.T) {
		t.Parallel()
		r := tenantRig(t, icimstest.Behavior{}, unverified)
		r.knows(people(n)...)
		r.sim.AddRule(icimstest.Rule{Route: "workflows.pair", Times: -1, Fault: icimstest.Gateway404})
		r.ended(r.run(input.ToJob(job), input.Options{}, people(n)...), 0, n, 0)
		r.holds(n, n)
	})
	t.Run("new people cost no extra call", func(t *testing.T) {
		t.Parallel()
		r := tenantRig(t, icimstest.Behavior{PairSearch: icimstest.Misses}, unverified)
		r.ended(r.run(input.ToJob(job), input.Options{}, people(n)...), n, 0, 0)
		r.holds(n, n)
		if asked := r.calls("workflows.pair", "search.applicantworkflows"); asked != 0 {
			t.Errorf("%d calls", asked)
		}
	})
	t.Run("a route that has answered is tried until it answers again", func(t *testing.T) {
		t.Parallel()
		r := tenantRig(t, icimstest.Behavior{PairSearch: icimstest.Misses, DuplicateWorkflow: icimstest.Allow}, unverified)
		all := people(n)
		for _, id := range r.knows(all...) {
			r.tenant.AddWorkflow(id, job, "D10100")
		}
		r.sim.AddRule(icimstest.Rule{Route: "workflows.pair", Nth: 2, Times: -1, Rate: 0.7, Fault: icimstest.Gateway404})
		r.ended(r.run(input.ToJob(job), input.Options{}, all[0]), 0, 1, 0)
		r.ended(r.run(input.ToJob(job), input.Options{}, all[1:]...), 0, n-1, 0)
		r.holds(n, n)
	})
}

// TestEitherWorldEmptySearch: row 10.
func TestEitherWorldEmptySearch(t *testing.T) {
	t.Parallel()
	const n = 10
	errorsShape := func(code int) store.TenantProfile {
		return store.TenantProfile{SearchOr: store.Yes, Nobody: store.NobodyIsErrors, NobodyCode: code}
	}
	for _, w := range []struct {
		name, empty string
		profile     store.TenantProfile
		created     int
	}{
		{"an empty list", icimstest.EmptyList, store.TenantProfile{SearchOr: store.Yes, Nobody: store.NobodyIsEmptyList}, n},
		{"an empty list, never verified", icimstest.EmptyList, unverified, n},
		{"errors with code 2", icimstest.ErrorsObject, errorsShape(2), n},
		{"errors with code 2, never verified", icimstest.ErrorsObject, unverified, n},
		{"404 with code 2, never verified", icimstest.Errors404, unverified, n},
		{"errors without a readable code", icimstest.Uncoded, errorsShape(-1), n},
		// The response is ambiguous, so no person is created.
		{"errors without a readable code, never verified", icimstest.Uncoded, unverified, 0},
	} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, icimstest.Behavior{EmptySearch: w.empty}, w.profile, func(o *rigOptions) {
				if w.created == 0 {
					shortBudget(o)
				}
			})
			all := people(2 * n)
			r.knows(all[:n]...)
			b := r.run(input.ToJob(job), input.Options{}, all...)
			if w.created == 0 {
				// Whether known people are on the job is ambiguous too.
				r.allDead(b, 2*n, store.ReasonBudgetSpent)
				r.holds(n, 0)
				return
			}
			r.ended(b, n, n, 0)
			r.holds(2*n, 2*n)
		})
	}
}

// TestEitherWorldGateway404: row 13.
func TestEitherWorldGateway404(t *testing.T) {
	t.Parallel()
	const n = 40
	for _, route := range []string{"people.get", "jobs.get"} {
		for _, rate := range []float64{0, 0.1, 0.5} {
			for _, profile := range []store.TenantProfile{unverified, {SearchOr: store.Yes, ReadsPair: store.Yes}} {
				t.Run(fmt.Sprintf("%s, %.0f%% of calls, known %q", route, 100*rate, profile.SearchOr), func(t *testing.T) {
					t.Parallel()
					r := tenantRig(t, icimstest.Behavior{}, profile)
					all := people(2 * n)
					r.knows(all[:n]...)
					if rate > 0 {
						r.sim.AddRule(icimstest.Rule{Route: route, Times: -1, Rate: rate, Fault: icimstest.Gateway404})
					}
					r.ended(r.run(input.ToJob(job), input.Options{}, all...), n, n, 0)
					r.holds(2*n, 2*n)
				})
			}
		}
	}
	for _, route := range []string{"people.get", "jobs.get"} {
		t.Run(route+", a 404 of iCIMS with a code that nobody knows", func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, icimstest.Behavior{}, store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.Yes})
			all := people(n)
			r.knows(all[:n/2]...)
			r.sim.AddRule(icimstest.Rule{Route: route, Times: 3, Fault: icimstest.StatusBefore, Status: 404, Code: 8})
			r.ended(r.run(input.ToJob(job), input.Options{}, all...), n/2, n/2, 0)
			r.holds(n, n)
		})
	}
	for fault, created := range map[icimstest.Fault]int{icimstest.Bare404: 1, icimstest.Gateway404: 0, icimstest.Page404: 0} {
		t.Run("a known person who was purged, "+string(fault), func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, icimstest.Behavior{}, store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.Yes}, shortBudget)
			first := r.run(input.ToJob(job), input.Options{}, ana())
			r.tenant.Purge(r.outcomes(first.ID)[0].Person)
			r.sim.AddRule(icimstest.Rule{Route: "people.get", Times: -1, Fault: fault})
			r.ended(r.run(input.ToJob(job), input.Options{IncludePreviouslyExported: true}, ana()), created, 0, 1-created)
			r.clean()
		})
		t.Run("a known person who is there, "+string(fault), func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, icimstest.Behavior{}, store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.Yes})
			r.run(input.ToJob(job), input.Options{}, ana())
			r.sim.AddRule(icimstest.Rule{Route: "people.get", Times: 1, Fault: fault})
			r.ended(r.run(input.ToJob(job), input.Options{IncludePreviouslyExported: true}, ana()), 0, 1, 0)
			r.holds(1, 1)
		})
	}
	missing := icimstest.Rule{Route: "people.get", Fault: icimstest.StatusBefore, Status: 404, Code: 2}
	for _, or := range []store.Answer{store.Yes, ""} {
		t.Run(fmt.Sprintf("a hit that reads as missing for a while, known %q", or), func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, icimstest.Behavior{}, store.TenantProfile{SearchOr: or})
			r.knows(ana())
			rule := missing
			rule.Times = 3
			r.sim.AddRule(rule)
			r.ended(r.run(input.ToJob(job), input.Options{}, ana()), 0, 1, 0)
			r.holds(1, 1)
		})
		t.Run(fmt.Sprintf("a hit that always reads as missing, known %q", or), func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, icimstest.Behavior{}, store.TenantProfile{SearchOr: or}, shortBudget)
			r.knows(ana())
			rule := missing
			rule.Times = -1
			r.sim.AddRule(rule)
			r.allDead(r.run(input.ToJob(job), input.Options{}, ana()), 1, store.ReasonPersonVanished)
			r.holds(1, 0)
		})
	}
}

// TestEitherWorldManyLongerAddresses: row 15.
func TestEitherWorldManyLongerAddresses(t *testing.T) {
	t.Parallel()
	t.Run("more people with the exact address than are read", func(t *testing.T) {
		t.Parallel()
		const many = 401
		r := tenantRig(t, icimstest.Behavior{}, unverified)
		for range many {
			r.knows(ana())
		}
		r.allDead(r.run(input.ToJob(job), input.Options{}, ana()), 1, store.ReasonEmailAmbiguous)
		if inv := r.sim.Invariants(); inv.People != many {
			t.Errorf("%d people", inv.People)
		}
	})
	for _, spelling := range []string{icimstest.Sensitive, icimstest.Insensitive} {
		for _, longer := range []int{20, 60, 250} {
			for _, known := range []store.Answer{store.Yes, ""} {
				profile := store.TenantProfile{SearchOr: known}
				if known == store.Yes {
					profile.IgnoresCase = store.AnswerOf(spelling == icimstest.Insensitive)
				}
				// One exact search is enough if it is known to ignore case.
				undecided := longer > 200 && profile.IgnoresCase != store.Yes
				name := fmt.Sprintf("case %s, %d longer addresses, known %q: ", spelling, longer, known)
				setUp := func(t *testing.T) *rig {
					r := tenantRig(t, icimstest.Behavior{SearchEmailCase: spelling}, profile)
					for i := range longer {
						r.tenant.AddPerson(map[string]any{"firstname": "Mariana", "lastname": "Duarte", "email": fmt.Sprintf("mari%d.%s", i, ana().Email)})
					}
					return r
				}
				t.Run(name+"a known person in another spelling", func(t *testing.T) {
					t.Parallel()
					r := setUp(t)
					stored := ana()
					stored.Email = "Ana.Duarte@Example.COM"
					r.knows(stored)
					b := r.run(input.ToJob(job), input.Options{}, ana())
					if undecided && spelling == icimstest.Sensitive {
						r.allDead(b, 1, store.ReasonEmailAmbiguous)
						r.holds(longer+1, 0)
						return
					}
					r.ended(b, 0, 1, 0)
					r.holds(longer+1, 1)
				})
				t.Run(name+"a new person", func(t *testing.T) {
					t.Parallel()
					r := setUp(t)
					b := r.run(input.ToJob(job), input.Options{}, ana())
					if undecided {
						r.allDead(b, 1, store.ReasonEmailAmbiguous)
						r.holds(longer, 0)
						return
					}
					r.ended(b, 1, 0, 0)
					r.holds(longer+1, 1)
				})
			}
		}
	}
}

// TestHoldOfAVerificationEndsByItself: the verification may never end, for example if its worker died.
func TestHoldOfAVerificationEndsByItself(t *testing.T) {
	t.Parallel()
	const hold = 8 * time.Second
	r := tenantRig(t, icimstest.Behavior{}, store.TenantProfile{HeldUntil: time.Now().Add(hold).UnixMilli()})
	batch := r.send(input.ToJob(job), input.Options{}, ana())
	r.eventually("the export waits", func() bool { return r.outcomes(batch)[0].Reason == store.ReasonPeopleHidden })
	if calls := r.sim.CallCount(); calls > 0 {
		t.Errorf("%d calls", calls)
	}
	if b := r.finished(batch); b.Created != 1 {
		t.Errorf("batch %+v", b)
	}
}

// TestEitherWorldHiddenPeopleHoldExports: row 3. Verification found that searches show no people.
func TestEitherWorldHiddenPeopleHoldExports(t *testing.T) {
	t.Parallel()
	const n = 3
	for shown, sees := range map[string]store.Answer{icimstest.Everybody: store.Yes, icimstest.Nobody: store.No} {
		t.Run(shown, func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, icimstest.Behavior{PeopleInSearch: shown}, store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.Yes, SeesPeople: sees})
			all := people(n)
			r.knows(all...)
			if sees == store.Yes {
				r.ended(r.run(input.ToJob(job), input.Options{}, all...), 0, n, 0)
				r.holds(n, n)
				return
			}
			batch := r.send(input.ToJob(job), input.Options{}, all...)
			r.eventually("all exports wait with a reason", func() bool {
				waits := 0
				for _, o := range r.outcomes(batch) {
					if o.State == store.Deferred && o.Reason == store.ReasonPeopleHidden {
						waits++
					}
				}
				return waits == n
			})
			if calls := r.sim.CallCount(); calls > 0 {
				t.Errorf("%d calls", calls)
			}
			r.holds(n, 0)
		})
	}
}
