package worker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// The tests named TestEitherWorld run exports in both positions of a switch of the simulator.
// docs/fidelity.md has the table.

// behaving is a calm simulator with some switches set.
func behaving(b icimstest.Behavior) icimstest.Config {
	c := calm()
	c.Behavior = b
	return c
}

// soon makes writes with a lost response settle immediately.
func soon(s *worker.Settings) { s.SettleTime = 100 * time.Millisecond }

// whole checks that all candidates of a batch are in iCIMS once, each with one workflow.
func (r *rig) whole(b store.Batch, n int) {
	r.t.Helper()
	if inv := r.sim.Invariants(); b.Dead != 0 || inv.People != n || inv.Workflows != n || len(inv.Violations()) > 0 {
		r.t.Errorf("batch %+v, %d people, %d workflows, %v\n%s", b, inv.People, inv.Workflows, inv.Violations(), r.logs.Tail())
	}
	r.clean()
}

// TestEitherWorldInterceptedAnswers replaces the responses to some calls by a proxy's.
func TestEitherWorldInterceptedAnswers(t *testing.T) {
	t.Parallel()
	const n = 24
	worlds := []struct {
		header string
		rule   icimstest.Rule
	}{
		{icimstest.Present, icimstest.Rule{Fault: icimstest.RedirectElsewhere}},
		{icimstest.Present, icimstest.Rule{Fault: icimstest.Page403}},
		{icimstest.Present, icimstest.Rule{Fault: icimstest.Page404}},
		{icimstest.Present, icimstest.Rule{Fault: icimstest.Page404After}},
		{icimstest.Absent, icimstest.Rule{Fault: icimstest.Page404After}},
		{icimstest.Present, icimstest.Rule{Fault: icimstest.HTMLError, Status: http.StatusUnauthorized}},
		{icimstest.Absent, icimstest.Rule{Fault: icimstest.HTMLError, Status: http.StatusBadRequest}},
		{icimstest.Present, icimstest.Rule{Fault: icimstest.EmptySuccess}},
		{icimstest.Absent, icimstest.Rule{Fault: icimstest.EmptySuccess}},
		// JSON in the form of iCIMS, with the status for a code.
		{icimstest.Absent, icimstest.Rule{Fault: icimstest.StatusBefore, Status: http.StatusForbidden, Code: http.StatusForbidden}},
	}
	for _, world := range worlds {
		t.Run(string(world.rule.Fault)+" "+http.StatusText(world.rule.Status)+", transaction header "+world.header, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: behaving(icimstest.Behavior{TransactionHeader: world.header}), settings: soon, stopped: true})
			// Two of nine calls: the circuit breaker stops the calls in longer bursts, which the
			// simulation has.
			calls := 0
			world.rule.Times, world.rule.Match = -1, func(call icimstest.Call) bool {
				calls++
				// A success without content cannot be told from the true response to a PATCH.
				return (calls%9 == 4 || calls%9 == 0) && (world.rule.Fault != icimstest.EmptySuccess || call.Method != http.MethodPatch)
			}
			r.sim.AddRule(world.rule)
			all := people(n)
			r.knows(all[:n/2]...)
			r.start()
			done := r.run(input.ToJob(job), input.Options{}, all...)
			r.whole(done, n)
			if done.Updated != n/2 {
				t.Errorf("%d updated", done.Updated)
			}
			if strings.Contains(r.logs.String(), "lane closed") {
				t.Errorf("the lane closed:\n%s", r.logs.Tail())
			}
		})
	}
}

// TestEitherWorldOwnRefusals: iCIMS's own refusals count, with and without the transaction
// header.
func TestEitherWorldOwnRefusals(t *testing.T) {
	t.Parallel()
	for _, header := range []string{icimstest.Present, icimstest.Absent} {
		t.Run("a job that does not exist, transaction header "+header, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: behaving(icimstest.Behavior{TransactionHeader: header})})
			r.allDead(r.run(input.ToJob(noJob), input.Options{}, people(3)...), 3, store.ReasonJobNotFound)
			if inv := r.sim.Invariants(); inv.People != 0 {
				t.Errorf("%d people", inv.People)
			}
		})
		t.Run("a refused value, transaction header "+header, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: behaving(icimstest.Behavior{TransactionHeader: header}), tenant: func(c *icimstest.TenantConfig) {
				c.Required = []string{"middlename"}
			}})
			r.allDead(r.run(input.Prospects, input.Options{}, people(3)...), 3, "icims_field_required")
		})
		t.Run("a wrong password, transaction header "+header, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: behaving(icimstest.Behavior{TransactionHeader: header})})
			r.tenant.SetPassword("changed")
			id := r.send(input.Prospects, input.Options{}, people(30)...)
			r.closedBy("icims_credentials")
			if n := r.sim.CallCount(); n > 20 {
				t.Errorf("%d calls with a wrong password", n)
			}
			r.conn.Password = "changed"
			r.worker.SetConnections([]store.Connection{r.conn})
			if b := r.finished(id); b.Created != 30 {
				t.Errorf("batch %+v", b)
			}
		})
	}
}

// closedBy waits until calls are closed for a reason.
func (r *rig) closedBy(reason store.Reason) {
	r.t.Helper()
	r.eventually("calls are closed", func() bool {
		s, err := r.ledger.QuotaStatuses(r.t.Context(), customer)
		return err == nil && s[0].ClosedExpress.Reason == reason
	})
}

// TestEitherWorldUserWithoutWebServices distinguishes a user without API access from a wrong
// password.
func TestEitherWorldUserWithoutWebServices(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"granted": 0, "refused with 401": 401, "refused with 403": 403, "refused with 400": 400} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 30
			r := newRig(t, rigOptions{sim: behaving(icimstest.Behavior{WebServicesStatus: status})})
			if status == 0 {
				r.whole(r.run(input.ToJob(job), input.Options{}, people(n)...), n)
				return
			}
			// The right is withdrawn after a success.
			all := people(n + 5)
			r.run(input.ToJob(job), input.Options{}, all[n:]...)
			r.tenant.SetWebServices(false)
			before := r.sim.CallCount()
			id := r.send(input.ToJob(job), input.Options{}, all[:n]...)
			r.closedBy("icims_not_authorized")
			for _, o := range r.outcomes(id) {
				if o.State == store.Dead || o.State == store.Deferred && o.Reason != "icims_not_authorized" {
					t.Errorf("outcome %+v", o)
				}
			}
			if made := r.sim.CallCount() - before; made > 20 {
				t.Errorf("%d calls without the right", made)
			}
			r.tenant.SetWebServices(true)
			r.conn.Password = password + " "
			r.tenant.SetPassword(password + " ") // a changed connection reopens calls
			r.worker.SetConnections([]store.Connection{r.conn})
			b := r.finished(id)
			r.whole(b, n+5)
		})
	}
}

// TestEitherWorldPatchAnswersAndPrimary updates people, with and without a Location in PATCH
// responses and a primary flag in entries.
func TestEitherWorldPatchAnswersAndPrimary(t *testing.T) {
	t.Parallel()
	for _, b := range []icimstest.Behavior{
		{}, {PatchLocation: icimstest.Absent}, {PatchStatus: http.StatusOK}, {PatchStatus: http.StatusOK, PatchLocation: icimstest.Absent},
		{EntryPrimary: icimstest.Present}, {EntryPrimary: icimstest.Absent},
	} {
		t.Run(b.PatchLocation+" "+http.StatusText(b.PatchStatus)+" primary "+b.EntryPrimary, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: behaving(b)})
			id := r.tenant.AddPerson(map[string]any{
				"firstname": "Anna", "lastname": "Duarte", "email": ana().Email, "folder": map[string]any{"id": "D32007"},
				"phones": []any{map[string]any{"phonenumber": "1 425 555 0143"}, map[string]any{"phonenumber": "7"}},
			})
			a := ana()
			a.Phones = append(a.Phones, input.Phone{Number: "+1 425 555 0144", Type: "home"})
			if batch := r.run(input.ToJob(job), input.Options{}, a); batch.Updated != 1 {
				t.Fatalf("batch %+v\n%s", batch, r.logs.Tail())
			}
			p, _ := r.tenant.Person(id)
			if phones, _ := p["phones"].([]any); p["firstname"] != "Ana" || len(phones) != 3 {
				t.Errorf("person %v", p)
			}
			r.clean()
		})
	}
}

// TestEitherWorldSearchesAreRefused: a refused search for people is about the account, or about the
// search, but it says nothing about the candidate.
func TestEitherWorldSearchesAreRefused(t *testing.T) {
	t.Parallel()
	const fieldRefused, accessDenied = 4, 3
	refused := func(status, code int) icimstest.Rule {
		return icimstest.Rule{Route: "search.people", Fault: icimstest.StatusBefore, Status: status, Code: code, Times: -1}
	}
	for name, rule := range map[string]icimstest.Rule{
		"a filter that is hidden": refused(400, fieldRefused), "a search that is denied with 404": refused(404, accessDenied),
		"409": refused(409, 0), "413": refused(413, 0),
	} {
		for _, profile := range []store.TenantProfile{unverified, {SearchOr: store.Yes, ReadsPair: store.Yes}} {
			t.Run(name+", known "+string(profile.SearchOr), func(t *testing.T) {
				t.Parallel()
				const n = 60
				r := tenantRig(t, icimstest.Behavior{}, profile)
				r.sim.AddRule(rule)
				id := r.send(input.ToJob(job), input.Options{}, people(n)...)
				r.closedBy("icims_search_refused")
				r.eventually("the lane is closed for a while", func() bool { return time.Until(r.wants()) > 20*time.Second })
				if calls := r.sim.CallCount(); calls > r.conn.Limits.InFlight {
					t.Errorf("%d calls for %d exports", calls, n)
				}
				for _, o := range r.outcomes(id) {
					if o.State == store.Dead || o.Attempts != 0 || o.State == store.Deferred && o.Reason != "icims_search_refused" {
						t.Fatalf("an export paid for it: %+v", o)
					}
				}
				r.sim.ClearRules()
				r.tenant.SetPassword(password + " ")
				r.conn.Password = password + " " // a changed connection reopens calls
				r.worker.SetConnections([]store.Connection{r.conn})
				r.whole(r.finished(id), n)
			})
		}
		for _, profile := range []store.TenantProfile{unverified, {SearchOr: store.Yes, ReadsPair: store.Yes}} {
			t.Run(name+" for a while, known "+string(profile.SearchOr), func(t *testing.T) {
				t.Parallel()
				const n = 30
				r := tenantRig(t, icimstest.Behavior{}, profile)
				all := people(n + 5)
				r.run(input.ToJob(job), input.Options{}, all[n:]...)
				brief := rule
				brief.Times = 40
				r.sim.AddRule(brief)
				r.whole(r.run(input.ToJob(job), input.Options{}, all[:n]...), n+5)
			})
			t.Run(name+" for one address, known "+string(profile.SearchOr), func(t *testing.T) {
				t.Parallel()
				const n = 30
				r := tenantRig(t, icimstest.Behavior{}, profile, shortBudget)
				all := people(n + 5)
				r.run(input.ToJob(job), input.Options{}, all[n:]...)
				one := rule
				one.Email = all[3].Email
				r.sim.AddRule(one)
				b := r.run(input.ToJob(job), input.Options{}, all[:n]...)
				r.ended(b, n-1, 0, 1)
				if o := r.outcomes(b.ID)[3]; o.Reason != "icims_search_refused" {
					t.Errorf("%+v", o)
				}
				r.clean()
			})
		}
	}
	t.Run("403 while other calls succeed", func(t *testing.T) {
		t.Parallel()
		const n = 30
		r := tenantRig(t, icimstest.Behavior{}, unverified)
		all := people(n + 5)
		r.run(input.ToJob(job), input.Options{}, all[n:]...)
		brief := refused(403, accessDenied)
		brief.Times = 40
		r.sim.AddRule(brief)
		r.whole(r.run(input.ToJob(job), input.Options{}, all[:n]...), n+5)
	})
}
