package verify_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/verify"
)

// good returns the checks of a connection that works.
func good(changes map[string]string) map[string]string {
	all := map[string]string{
		"settings": "ok", "reach": "ok", "credentials": "ok", "address": "ok", "customer": "ok", "portal 1": "ok", "portal 2": "ok",
		"person_search": "ok", "person_schema": "ok", "workflow_schema": "ok", "quota": "ok", "test_candidate": "ok", "test_workflow": "ok",
		"test_stored": "ok", "folder": "ok", "test_found": "ok", "search_many": "ok", "workflow_of_person": "ok",
	}
	maps.Copy(all, changes)
	return all
}

// skipped marks checks as skipped because of an earlier one.
func skipped(changes map[string]string, names ...string) map[string]string {
	for _, name := range names {
		changes[name] = "skipped needs_earlier_check"
	}
	return changes
}

// afterTest are the checks that need the test candidate in iCIMS.
var afterTest = []string{"test_stored", "folder", "test_found", "search_many", "workflow_of_person"}

var ofTest = append([]string{"test_candidate", "test_workflow"}, afterTest...)

var afterAccount = append([]string{"portal 1", "portal 2", "person_search", "person_schema", "workflow_schema", "quota"}, ofTest...)

// notRequested marks checks that were not requested.
func notRequested(names ...string) map[string]string {
	all := map[string]string{}
	for _, name := range names {
		all[name] = "skipped not_asked_for"
	}
	return all
}

func TestVerification(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tenant func(*icimstest.TenantConfig)
		conn   func(*store.Connection)
		before func(*rig)
		args   verify.Args

		states map[string]string
		result verify.Result
		state  store.ConnectionState
		remedy string // of the worst check, in part
	}{
		"a connection that works is connected, with a test candidate on the first job": {
			states: good(nil), result: verify.ResultConnected, state: store.ConnectionConnected,
		},
		"without a test candidate nothing is written": {
			args:   verify.Args{NoTestCandidate: true},
			states: good(notRequested(ofTest...)), result: verify.ResultConnected, state: store.ConnectionConnected,
		},
		"a wrong password is reported, and nothing else is tried": {
			conn:   func(c *store.Connection) { c.Password = "wrong" },
			states: good(skipped(map[string]string{"credentials": "failed credentials_refused"}, append(afterAccount, "address", "customer")...)), result: verify.ResultRefused, state: store.CredentialsRejected,
			remedy: "Enter the API user's name and password again",
		},
		"an address that is not allow-listed differs from a missing right, and is shown": {
			before: func(r *rig) { r.tenant.Block() },
			states: good(skipped(map[string]string{"address": "failed address_refused"}, append(afterAccount, "credentials", "customer")...)), result: verify.ResultRefused, state: store.AccessDenied,
			remedy: "allow-list 192.0.2.7, 192.0.2.8 for the API user",
		},
		"an address that iCIMS refuses with 401 is not taken for a wrong password": {
			tenant: func(c *icimstest.TenantConfig) { c.Behavior = &icimstest.Behavior{BlockedIPStatus: 401} },
			before: func(r *rig) { r.tenant.Block() },
			states: good(skipped(map[string]string{"address": "failed address_refused"}, append(afterAccount, "credentials", "customer")...)), result: verify.ResultRefused, state: store.AccessDenied,
			remedy: "allow-list 192.0.2.7",
		},
		"an account without any rights differs from one that lacks one right": {
			before: func(r *rig) { r.tenant.Deny("customers.get", "portals.search", "search.people", "schema.get") },
			states: good(skipped(map[string]string{
				"address": "failed account_denied", "customer": "warned customer_hidden", "portal 1": "failed portal_hidden", "portal 2": "failed portal_hidden", "person_search": "failed right_missing",
				"person_schema": "warned schema_hidden", "workflow_schema": "warned schema_hidden",
			}, ofTest...)), result: verify.ResultRefused, state: store.AccessDenied, remedy: "the group of integration users",
		},
		"a portal that is not there": {
			conn: func(c *store.Connection) { c.PortalURLs = strings.ReplaceAll(c.PortalURLs, "portals/2", "portals/77") },
			states: func() map[string]string {
				all := good(skipped(map[string]string{"portal 77": "failed portal_unknown"}, ofTest...))
				delete(all, "portal 2")
				return all
			}(), result: verify.ResultDegraded, state: store.ConnectionDegraded, remedy: "Copy the portal's URL from iCIMS again",
		},
		"a portal that the account may not see": {
			before: func(r *rig) { r.tenant.Hide("portal", 2) },
			states: good(skipped(map[string]string{"portal 2": "failed portal_hidden"}, ofTest...)), result: verify.ResultDegraded, state: store.ConnectionDegraded,
			remedy: "the right to the job portal",
		},
		"a missing right to search people, with either status": {
			tenant: func(c *icimstest.TenantConfig) {
				c.DeniedRoutes, c.Behavior = []string{"search.people"}, &icimstest.Behavior{MissingRightStatus: 404}
			},
			states: good(skipped(map[string]string{"person_search": "failed right_missing"}, ofTest...)), result: verify.ResultRefused, state: store.AccessDenied,
			remedy: "give the API user the right",
		},
		"a search filter that is hidden": {
			before: func(r *rig) {
				r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.StatusBefore, Status: 400, Code: 4, Times: -1})
			},
			states: good(skipped(map[string]string{"person_search": "failed right_missing"}, ofTest...)), result: verify.ResultRefused, state: store.AccessDenied,
			remedy: "give the API user the right",
		},
		"searches that fail": {
			before: func(r *rig) {
				r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error500Before, Times: -1})
			},
			states: good(skipped(map[string]string{"person_search": "failed icims_failing"}, ofTest...)), result: verify.ResultIncomplete, state: store.ConnectionNew,
			remedy: "Verify again later",
		},
		"schemas that the account may not read are a warning alone": {
			tenant: func(c *icimstest.TenantConfig) { c.DeniedRoutes = []string{"schema.get"} },
			states: good(map[string]string{"person_schema": "warned schema_hidden", "workflow_schema": "warned schema_hidden"}), result: verify.ResultDegraded, state: store.ConnectionDegraded,
		},
		"schemas that cannot be read are a warning alone": {
			before: func(r *rig) {
				r.sim.AddRule(icimstest.Rule{Route: "schema.get", Fault: icimstest.HTMLError, Times: -1})
			},
			states: good(map[string]string{"person_schema": "warned icims_failing", "workflow_schema": "warned icims_failing"}), result: verify.ResultDegraded, state: store.ConnectionDegraded,
		},
		"schemas with an empty 404 are a warning alone": {
			before: func(r *rig) {
				r.sim.AddRule(icimstest.Rule{Route: "schema.get", Fault: icimstest.Bare404, Times: -1})
			},
			states: good(map[string]string{"person_schema": "warned schema_hidden", "workflow_schema": "warned schema_hidden"}), result: verify.ResultDegraded, state: store.ConnectionDegraded,
		},
		"a hidden field that every export needs": {
			tenant: func(c *icimstest.TenantConfig) { c.HiddenFields = []string{"email"} },
			states: good(skipped(map[string]string{"person_schema": "failed field_missing"}, ofTest...)), result: verify.ResultDegraded, state: store.ConnectionDegraded,
		},
		"names that the tenant does not have, and what was left out for it": {
			conn:   func(c *store.Connection) { c.LinkedInField = "field99999" },
			states: good(map[string]string{"person_schema": "warned optional_field_missing", "test_candidate": "warned test_incomplete", "test_stored": "warned not_stored"}), result: verify.ResultDegraded, state: store.ConnectionDegraded,
			remedy: "Correct their names in the connection",
		},
		"a status that the tenant does not have": {
			conn:   func(c *store.Connection) { c.Status = store.NodeRef{Value: "Sent By Somebody"} },
			states: good(map[string]string{"test_workflow": "warned status_refused"}), result: verify.ResultDegraded, state: store.ConnectionDegraded,
			remedy: "Correct the connection's status",
		},
		"a chosen job that is not there": {
			args:   verify.Args{Job: 999_999},
			states: good(skipped(map[string]string{"test_candidate": "skipped job_unknown", "test_workflow": "failed job_unknown"}, afterTest...)), result: verify.ResultDegraded, state: store.ConnectionDegraded,
			remedy: "Choose another job",
		},
		"an account that may not create people": {
			tenant: func(c *icimstest.TenantConfig) { c.DeniedRoutes = []string{"people.create"} },
			states: good(skipped(map[string]string{"test_candidate": "failed right_missing"}, append(afterTest, "test_workflow")...)), result: verify.ResultDegraded, state: store.ConnectionDegraded,
		},
		"an account that may not add people to jobs": {
			tenant: func(c *icimstest.TenantConfig) { c.DeniedRoutes = []string{"workflows.create"} },
			states: good(skipped(map[string]string{"test_workflow": "failed right_missing"}, "workflow_of_person")), result: verify.ResultDegraded, state: store.ConnectionDegraded,
		},
		"portals without a job: the test candidate becomes a prospect": {
			tenant: func(c *icimstest.TenantConfig) { c.Jobs = nil },
			states: good(map[string]string{"test_workflow": "skipped no_job", "workflow_of_person": "skipped no_job"}), result: verify.ResultConnected, state: store.ConnectionConnected,
		},
		"a used-up quota says nothing about the connection": {
			tenant: func(c *icimstest.TenantConfig) { c.DailyLimit = 3 },
			states: good(skipped(map[string]string{"person_search": "failed quota_exhausted"}, "person_schema", "workflow_schema", "quota", "test_candidate", "test_workflow", "test_stored", "folder", "test_found", "search_many", "workflow_of_person")), result: verify.ResultIncomplete, state: store.ConnectionNew,
			remedy: "after midnight UTC",
		},
		"few calls left are a warning": {
			tenant: func(c *icimstest.TenantConfig) { c.DailyLimit = 1000 },
			before: func(r *rig) { r.tenant.SpendQuota(950) },
			states: good(map[string]string{"quota": "warned quota_low"}), result: verify.ResultDegraded, state: store.ConnectionDegraded,
		},
		"an iCIMS that fails": {
			before: func(r *rig) { r.sim.SetFaults(icimstest.Faults{Error500Before: 1}) },
			states: good(skipped(map[string]string{"reach": "failed icims_failing"}, append(afterAccount, "credentials", "address", "customer")...)), result: verify.ResultDegraded, state: store.ConnectionDegraded,
		},
		"a host that redirects": {
			before: func(r *rig) { r.sim.SetFaults(icimstest.Faults{RedirectElsewhere: 1}) },
			states: good(skipped(map[string]string{"reach": "failed redirected"}, append(afterAccount, "credentials", "address", "customer")...)), result: verify.ResultDegraded, state: store.ConnectionDegraded,
		},
		"a firewall that responds instead of iCIMS": {
			before: func(r *rig) { r.sim.SetFaults(icimstest.Faults{Page403: 1}) },
			states: good(skipped(map[string]string{"reach": "failed intercepted"}, append(afterAccount, "credentials", "address", "customer")...)), result: verify.ResultDegraded, state: store.ConnectionDegraded,
		},
		"a host without a listener": {
			conn: func(c *store.Connection) { c.PortalURLs = "http://127.0.0.1:1/customers/1234/search/portals/1" },
			states: func() map[string]string {
				all := good(skipped(map[string]string{"settings": "failed settings_wrong"}, append(afterAccount, "reach", "credentials", "address", "customer")...))
				delete(all, "portal 1")
				delete(all, "portal 2")
				return all
			}(), result: verify.ResultDegraded, state: store.ConnectionNew,
		},
		"a paused customer is verified": {
			before: func(r *rig) {
				if err := r.ledger.Lanes.Pause(r.t.Context(), customer, store.Pause{By: "joe", Why: "test"}); err != nil {
					r.t.Fatal(err)
				}
			},
			states: good(nil), result: verify.ResultConnected, state: store.ConnectionConnected,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{tenant: c.tenant, conn: c.conn})
			if c.before != nil {
				c.before(r)
			}
			report := r.verify(c.args)
			if diff := cmp.Diff(c.states, checkStates(report)); diff != "" {
				t.Errorf("%s\n%s", diff, shown(report))
			}
			if report.Result != c.result || report.State != c.state || r.connection().Below() != c.state {
				t.Errorf("result %s, state %s (the connection's is %s), want %s, %s", report.Result, report.State, r.connection().Below(), c.result, c.state)
			}
			if worst, bad := report.Worst(); c.remedy != "" && (!bad || !strings.Contains(worst.Remedy, c.remedy)) {
				t.Errorf("remedy: %+v", worst)
			}
			for _, check := range report.Checks {
				if check.State != verify.OK && check.Code != "" && check.Cause == "" {
					t.Errorf("without a cause: %+v", check)
				}
			}
			if strings.Contains(shown(report)+r.logs.String(), password) || strings.Contains(r.logs.String(), "Test Candidate") {
				t.Error("the log contains the password or a name")
			}
			inv := r.sim.Invariants()
			if len(inv.DuplicateProfiles)+len(inv.DuplicateWorkflows) > 0 {
				t.Errorf("%+v", inv)
			}
		})
	}
}

func TestTheTestCandidateIsMadeOnceAndKeptOutOfReports(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	first, second := r.verify(verify.Args{}), r.verify(verify.Args{})
	if first.Person == 0 || first.Person != second.Person || first.Workflow != second.Workflow || first.Batch == second.Batch {
		t.Errorf("first %s\nsecond %s", shown(first), shown(second))
	}
	third := r.verify(verify.Args{Job: 1702})
	if third.Person != first.Person || third.Workflow == first.Workflow {
		t.Errorf("to another job: %s", shown(third))
	}
	if n := len(r.tenant.People()); n != 1 {
		t.Errorf("%d people", n)
	}
	if n := len(r.tenant.Workflows()); n != 2 {
		t.Errorf("%d workflows", n)
	}
	p, _ := r.tenant.Person(first.Person)
	if p["firstname"] != "Test" || p["lastname"] != "Candidate (icims-export)" || !strings.HasPrefix(p["email"].(string), "no-email-") {
		t.Errorf("%v", p)
	}

	ctx := t.Context()
	if batches, _, err := r.ledger.Batches.Page(ctx, customer, "", 100); err != nil || len(batches) != 0 {
		t.Errorf("listed: %+v, %v", batches, err)
	}
	tests, _, err := r.ledger.Batches.TestPage(ctx, customer, "", 100)
	if err != nil || len(tests) != 3 || !tests[0].Test || tests[0].Ended.IsZero() {
		t.Errorf("among the tests: %+v, %v", tests, err)
	}
	for name := range r.redis.HGetAll(ctx, "ix:{"+customer+"}:c").Val() {
		if strings.HasPrefix(name, "ended:") || strings.HasPrefix(name, "calls:") {
			t.Errorf("counted among what exports cost: %s", name)
		}
	}
	found, err := r.ledger.Checks.Run(ctx, []string{customer}, store.CheckOptions{})
	if err != nil || len(found) != 1 || len(found[0].Violations) > 0 || found[0].Batches != 3 {
		t.Errorf("audit: %+v, %v", found, err)
	}
}

func TestATestCandidateThatFailsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before func(*rig) }{
		"refused for good":                           {func(r *rig) { r.tenant.Deny("people.create") }},
		"postponed, because the day's calls ran out": {func(r *rig) { r.tenant.SetDailyLimit(6) }},
		"not added to the job":                       {func(r *rig) { r.tenant.Deny("workflows.create") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{})
			c.before(r)
			report := r.verify(verify.Args{})
			if report.Result == verify.ResultConnected {
				t.Errorf("%s", shown(report))
			}
			if live, err := r.ledger.Recovery.Live(t.Context(), customer); err != nil || live != 0 {
				t.Errorf("%d exports move, %v", live, err)
			}
			if n, err := r.ledger.DeadLetters.Count(t.Context(), customer); err != nil || n != 0 {
				t.Errorf("%d dead letters, %v", n, err)
			}
			found, err := r.ledger.Checks.Run(t.Context(), []string{customer}, store.CheckOptions{})
			if err != nil || len(found) != 1 || len(found[0].Violations) > 0 {
				t.Errorf("audit: %+v, %v", found, err)
			}
		})
	}
}

func TestACreateOfTheTestCandidateWhoseAnswerIsLostIsAdopted(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.sim.AddRule(icimstest.Rule{Route: "people.create", Fault: "error500_after", Times: 1})
	report := r.verify(verify.Args{})
	if report.Result != verify.ResultConnected || len(r.tenant.People()) != 1 {
		t.Errorf("%d people; %s", len(r.tenant.People()), shown(report))
	}
}

func TestAVerificationLetsWaitingExportsGoOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.tenant.SetPassword("another")
	receipt, err := r.producer.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.Prospects, Candidates: input.Candidates(input.Candidate{ID: "c-1", FirstName: "Ana", LastName: "Duarte", Email: "ana@example.com"})})
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("the password is refused", func() bool { return r.connection().State == store.CredentialsRejected })
	if report := r.verify(verify.Args{}); report.State != store.CredentialsRejected {
		t.Errorf("%s", shown(report))
	}
	r.tenant.SetPassword(password)
	if report := r.verify(verify.Args{}); report.State != store.ConnectionConnected {
		t.Errorf("%s", shown(report))
	}
	r.eventually("the export ends", func() bool {
		b, err := r.ledger.Batches.Get(t.Context(), receipt.Batch)
		return err == nil && b.Created == 1
	})
}

func TestWhoFollowsAVerificationSeesItsChecksOneByOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{stopped: true})
	e := r.ask(verify.Args{})
	r.sim.AddRule(icimstest.Rule{Route: "portals.search", Delay: time.Second, Times: 1})
	r.start()
	var states []string
	for !e.State.Ended() {
		var err error
		if e, err = r.ledger.Control.Await(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		report, err := verify.Read(e)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Checks) > 0 {
			states = append(states, checkStates(report)["portal 1"])
		}
	}
	states = slices.Compact(states)
	if len(states) < 2 || states[len(states)-1] != "ok" || !slices.Contains(states, "running") {
		t.Errorf("portal 1 was seen %v", states)
	}
}

func TestAConnectionThatIsChangedMeanwhileIsToBeVerifiedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{stopped: true})
	e := r.ask(verify.Args{NoTestCandidate: true})
	r.sim.AddRule(icimstest.Rule{Route: "portals.search", Delay: time.Second, Times: 1})
	r.start()
	edited := false
	for !e.State.Ended() {
		var err error
		if e, err = r.ledger.Control.Await(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		report, err := verify.Read(e)
		if err != nil {
			t.Fatal(err)
		}
		if !edited && checkStates(report)["portal 1"] == "running" {
			conn, err := r.ledger.Connections.Get(t.Context(), customer)
			if err != nil {
				t.Fatal(err)
			}
			conn.Source = "another"
			if _, err := r.ledger.Connections.Edit(t.Context(), conn.Connection, conn.Revision, "maria", "a test"); err != nil {
				t.Fatal(err)
			}
			edited = true
		}
	}
	v, err := verify.View(e)
	if err != nil || !edited || v.State != store.ControlFailed || v.Failure != store.ControlChanged || v.Problem != "The connection was changed meanwhile." || v.Remedy == "" {
		t.Errorf("edited: %t; %+v, %v", edited, v, err)
	}
	if v.Report.Result != verify.ResultIncomplete || v.Report.State != "" {
		t.Errorf("%s", shown(v.Report))
	}
	if c, err := r.ledger.Connections.Get(t.Context(), customer); err != nil || c.State != store.ConnectionNew {
		t.Errorf("the connection is %s, %v", c.State, err)
	}
}

func TestTheReportOfAVerificationThatWasNotDoneHasEnded(t *testing.T) {
	t.Parallel()
	broken, err := json.Marshal(verify.Report{Result: verify.ResultRunning, Checks: []verify.Check{
		{Name: verify.CheckSettings, State: verify.OK}, {Name: verify.CheckReach, State: verify.Running}, {Name: verify.CheckCredentials, State: verify.Pending},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		state  store.ControlState
		report []byte
		want   verify.Result
		checks []verify.State
	}{
		"one that runs":                      {store.ControlRunning, broken, verify.ResultRunning, []verify.State{verify.OK, verify.Running, verify.Pending}},
		"one that waits":                     {store.ControlWaiting, nil, verify.ResultRunning, nil},
		"one whose workers crashed":          {store.ControlFailed, broken, verify.ResultIncomplete, []verify.State{verify.OK, verify.Skipped, verify.Skipped}},
		"one that no worker started in time": {store.ControlFailed, nil, verify.ResultIncomplete, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := verify.Read(store.ControlTask{State: c.state, Result: c.report})
			var states []verify.State
			for _, check := range report.Checks {
				states = append(states, check.State)
			}
			if err != nil || report.Result != c.want || !slices.Equal(states, c.checks) {
				t.Errorf("%s %v, %v", report.Result, states, err)
			}
		})
	}
}

func TestTheConnectionIsSaidToBeVerifiedMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.verify(verify.Args{NoTestCandidate: true})
	history, err := r.ledger.Connections.History(t.Context(), customer)
	if err != nil {
		t.Fatal(err)
	}
	var moves []string
	for _, e := range slices.Backward(history) {
		moves = append(moves, string(e.To)+" by "+e.Who)
	}
	if diff := cmp.Diff([]string{"new by maria", "verifying by maria", "connected by maria"}, moves); diff != "" {
		t.Error(diff)
	}
}
