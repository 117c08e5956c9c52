package worker_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

func TestTenantsDiffer(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		tenant   func(*icimstest.TenantConfig)
		conn     func(*store.Connection)
		seed     func(*rig)
		warnings string
		check    func(*testing.T, *rig, store.Outcome)
	}{
		{
			name:     "a tenant without the phone type gets the number without it",
			tenant:   func(c *icimstest.TenantConfig) { c.PhoneTypes = []string{"Office"} },
			warnings: "phone_type_dropped",
		},
		{
			name: "a tenant without the history collection gets the person without it",
			tenant: func(c *icimstest.TenantConfig) {
				c.WorkExperience.Collection = "rcf3211"
				c.Behavior = &icimstest.Behavior{UnknownField: icimstest.Refuse}
			},
			warnings: "field_refused:workexperience,work_experience_owed",
		},
		{
			name: "configured names are used",
			tenant: func(c *icimstest.TenantConfig) {
				c.WorkExperience.Collection = "rcf3211"
				c.WorkExperience.Title = "rcf3213"
			},
			conn: func(c *store.Connection) {
				c.Fields.WorkExperience.Collection, c.Fields.WorkExperience.Title = "rcf3211", "rcf3213"
			},
			check: func(t *testing.T, r *rig, o store.Outcome) {
				if p, _ := r.tenant.Person(o.Person); p["rcf3211"] == nil {
					t.Errorf("person %v", p)
				}
			},
		},
		{
			name:     "profile URLs without a field are left out",
			conn:     func(c *store.Connection) { c.LinkedInField = "" },
			warnings: "linkedin_skipped",
		},
		{
			name:   "a status refused by label is learned from an existing workflow",
			tenant: func(c *icimstest.TenantConfig) { c.Behavior = &icimstest.Behavior{StatusByValue: icimstest.Refused} },
			seed: func(r *rig) {
				r.tenant.AddWorkflow(r.tenant.AddPerson(existing(map[string]any{"email": "else@example.com"})), job, "D10106")
			},
			check: func(t *testing.T, r *rig, o store.Outcome) { r.hasStatus(o, "D10106") },
		},
		{
			name:     "a status that cannot be learned is left out",
			tenant:   func(c *icimstest.TenantConfig) { c.Behavior = &icimstest.Behavior{StatusByValue: icimstest.Refused} },
			warnings: "status_dropped",
		},
		{
			name:  "a status configured by id is used",
			conn:  func(c *store.Connection) { c.Status = store.NodeRef{ID: "D10120"} },
			check: func(t *testing.T, r *rig, o store.Outcome) { r.hasStatus(o, "D10120") },
		},
		{
			name: "a hidden school is left out",
			tenant: func(c *icimstest.TenantConfig) {
				c.HiddenEntries = map[string][]string{"lists.school": {"University of Porto"}}
			},
			warnings: "field_refused:education,education_owed",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm(), tenant: c.tenant, conn: c.conn, stopped: true})
			if c.seed != nil {
				c.seed(r)
			}
			r.start()
			b := r.run(input.ToJob(job), input.Options{}, ana())
			o := r.outcomes(b.ID)[0]
			if o.State != store.Done || o.Warnings != c.warnings {
				t.Fatalf("outcome %+v, want warnings %q\n%s", o, c.warnings, r.logs.Tail())
			}
			if c.check != nil {
				c.check(t, r, o)
			}
			r.clean()
		})
	}
}

func (r *rig) hasStatus(o store.Outcome, want string) {
	r.t.Helper()
	for _, w := range r.tenant.Workflows() {
		if w.ID == o.Workflow && w.StatusID == want {
			return
		}
	}
	r.t.Errorf("workflow %d does not have status %s: %+v", o.Workflow, want, r.tenant.Workflows())
}

func TestTenantCacheSavesCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{
		sim: calm(),
		tenant: func(c *icimstest.TenantConfig) {
			c.PhoneTypes = []string{"Office"}
			c.WorkExperience.Collection = "rcf3211"
			c.Behavior = &icimstest.Behavior{UnknownField: icimstest.Refuse}
		},
		settings: func(s *worker.Settings) { s.LaneConcurrency = 1 },
	})
	const n = 100
	b := r.run(input.Prospects, input.Options{}, people(n)...)
	// Three refusals of the collection and one of the phone type, at most one per call.
	if creates := r.calls("people.create"); b.Created != n || creates > n+4 {
		t.Errorf("%d POSTs for %d people: %+v", creates, n, b)
	}
}

// TestEitherWorldAccessWithdrawnForAMoment: the account is blocked in the middle of a batch, right after
// other calls succeeded.
func TestEitherWorldAccessWithdrawnForAMoment(t *testing.T) {
	t.Parallel()
	const n = 30
	for _, code := range []int{0, 3} {
		t.Run(fmt.Sprintf("403 with code %d", code), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm()})
			var unblocked atomic.Bool
			created := 0
			r.sim.AddRule(icimstest.Rule{Fault: icimstest.StatusBefore, Status: http.StatusForbidden, Code: code, Times: -1, Match: func(c icimstest.Call) bool {
				if c.Route == "people.create" {
					created++
				}
				return created > n/3 && !unblocked.Load()
			}})
			id := r.send(input.ToJob(job), input.Options{}, people(n)...)
			r.eventually("exports wait for access", func() bool {
				waits := 0
				for _, o := range r.outcomes(id) {
					if o.State == store.Deferred && o.Reason == "icims_access_denied" {
						waits++
					}
				}
				return waits >= 5
			})
			unblocked.Store(true)
			if b := r.finished(id); b.Created != n {
				t.Errorf("batch %+v", b)
			}
			r.clean()
		})
	}
}

func TestDeath(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		target input.Target
		tenant func(*icimstest.TenantConfig)
		rule   *icimstest.Rule
		reason store.Reason
	}{
		{name: "a job that does not exist", target: input.ToJob(99), reason: store.ReasonJobNotFound},
		{
			name: "a required field that the candidate lacks", target: input.Prospects,
			tenant: func(c *icimstest.TenantConfig) {
				c.Required = append(c.Required, "firstname", "lastname", "email", "middlename")
			},
			reason: "icims_field_required",
		},
		{
			name: "a forbidden record", target: input.ToJob(job),
			rule:   &icimstest.Rule{Route: "workflows.create", Times: -1, Fault: icimstest.AccessDenied404},
			reason: "icims_access_denied",
		},
		{
			name: "redirects for longer than the budget", target: input.Prospects,
			rule:   &icimstest.Rule{Route: "search.people", Times: -1, Fault: icimstest.RedirectElsewhere},
			reason: "icims_redirected",
		},
		{
			name: "iCIMS failing for longer than the budget", target: input.Prospects,
			rule:   &icimstest.Rule{Route: "search.people", Times: -1, Fault: icimstest.StatusBefore, Status: 503},
			reason: store.ReasonBudgetSpent,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm(), tenant: c.tenant, settings: func(s *worker.Settings) { s.RetryBudget = time.Second }})
			if c.rule != nil {
				r.sim.AddRule(*c.rule)
			}
			b := r.run(c.target, input.Options{}, ana())
			if o := r.outcomes(b.ID)[0]; b.Dead != 1 || o.Reason != c.reason {
				t.Errorf("batch %+v, outcome %+v, want %s", b, o, c.reason)
			}
			// A dead export does not block the candidate's next one.
			if c.rule == nil && c.tenant == nil {
				if b := r.run(input.Prospects, input.Options{}, ana()); b.Created != 1 {
					t.Errorf("export after the death: %+v", b)
				}
			}
			r.clean()
		})
	}
}

func TestRejectedCredentials(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	r.tenant.SetPassword("changed by the customer")
	id := r.send(input.Prospects, input.Options{}, people(50)...)
	r.eventually("the lane closes", func() bool { return strings.Contains(r.logs.String(), `"why":"icims_credentials"`) })
	r.eventually("the log says so in a sentence", func() bool {
		return strings.Contains(r.logs.String(), "refuses the credentials of the connection")
	})
	// Exports that have begun wait for credentials, the rest in the queue.
	begun := 0
	for _, o := range r.outcomes(id) {
		switch {
		case o.State == store.Deferred && o.Reason == "icims_credentials":
			begun++
		case o.State != store.Queued:
			t.Errorf("export %+v", o)
		}
	}
	standing, err := r.ledger.QuotaStatuses(t.Context(), customer)
	if err != nil || standing[0].ClosedExpress.Reason != "icims_credentials" {
		t.Errorf("standing %+v, %v", standing, err)
	}
	if n := r.sim.CallCount(); n > 16 || begun == 0 || begun > 40 {
		t.Errorf("%d calls with a rejected password, %d exports begun", n, begun)
	}
	if strings.Contains(r.logs.String(), password) {
		t.Error("the password is in the log")
	}
	// The corrected connection takes effect immediately.
	r.conn.Password = "changed by the customer"
	r.worker.SetConnections([]store.Connection{r.conn})
	if !strings.Contains(r.logs.String(), "connection loaded") {
		t.Error("the log lacks the loaded connection")
	}
	if b := r.finished(id); b.Created != 50 {
		t.Errorf("batch %+v", b)
	}
	r.clean()
}

// TestEitherWorldStatusWarningsAreRight: each workflow with a wrong status has a warning, and no
// other.
func TestEitherWorldStatusWarningsAreRight(t *testing.T) {
	t.Parallel()
	const n, right = 30, "D10106"
	for name, w := range map[string]struct {
		byLabel string
		rule    icimstest.Rule
		seeded  bool // a workflow shows the status's ID
		wrong   int
	}{
		"ignored by label, accepted by ID, and never set later": {
			icimstest.Ignored, icimstest.Rule{Route: "workflows.patch", Fault: icimstest.StatusBefore, Status: 400, Code: 4, Times: -1}, true, 1,
		},
		"refused by label, without an ID, and some responses are lost": {
			icimstest.Refused, icimstest.Rule{Route: "workflows.create", Fault: icimstest.ResetAfter, Nth: 3, Rate: 0.3, Times: -1}, false, n,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, icimstest.Behavior{StatusByValue: w.byLabel}, unverified, func(o *rigOptions) { o.settings = soon })
			if w.seeded {
				r.tenant.AddWorkflow(r.tenant.AddPerson(existing(map[string]any{"email": "else@example.com"})), job, right)
			}
			r.sim.AddRule(w.rule)
			b := r.run(input.ToJob(job), input.Options{}, people(n)...)
			r.ended(b, n, 0, 0)
			status := map[int64]string{}
			for _, f := range r.tenant.Workflows() {
				status[f.ID] = f.StatusID
			}
			wrong := 0
			for _, o := range r.outcomes(b.ID) {
				warned := strings.Contains(o.Warnings, "status_dropped")
				if status[o.Workflow] != right {
					wrong++
				}
				if warned != (status[o.Workflow] != right) {
					t.Errorf("workflow %d has status %s, warnings %q", o.Workflow, status[o.Workflow], o.Warnings)
				}
			}
			if wrong != w.wrong {
				t.Errorf("%d workflows with a wrong status, want %d", wrong, w.wrong)
			}
			r.clean()
		})
	}
}
