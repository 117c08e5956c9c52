package verify_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/verify"
)

// forgetPeople removes the known addresses from the ledger, as happens after an hour.
func (r *rig) forgetPeople() {
	r.t.Helper()
	keys, err := r.redis.Keys(r.t.Context(), "ix:{"+customer+"}:k:*").Result()
	if err == nil && len(keys) > 0 {
		err = r.redis.Del(r.t.Context(), keys...).Err()
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// wantChecks compares the checks of a report.
func wantChecks(t *testing.T, report verify.Report, result verify.Result, changes map[string]string) {
	t.Helper()
	if diff := cmp.Diff(good(changes), checkStates(report)); diff != "" || report.Result != result {
		t.Errorf("result %s, want %s; checks (-want +got):\n%s\n%s", report.Result, result, diff, shown(report))
	}
}

// ofTenant ignores what differs from run to run.
var ofTenant = cmpopts.IgnoreFields(store.TenantProfile{}, "VerifiedAt", "SearchLag", "TestPerson", "TestJob")

func honest() store.TenantProfile {
	return store.TenantProfile{
		SearchOr: store.Yes, SeesPeople: store.Yes, Nobody: store.NobodyIsEmptyList, IgnoresCase: store.No,
		StatusID: "D10106", KeepsStatus: store.Yes, ReadsPair: store.Yes, SeesFolder: store.Yes,
	}
}

func TestVerificationFindsOutAboutTheTenant(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tenant func(*icimstest.TenantConfig)
		want   func(*store.TenantProfile)
	}{
		"as it is documented": {nil, func(*store.TenantProfile) {}},
		"searches that ignore case": {func(c *icimstest.TenantConfig) {
			c.Behavior = &icimstest.Behavior{SearchEmailCase: icimstest.Insensitive}
		}, func(p *store.TenantProfile) { p.IgnoresCase = store.Yes }},
		"nobody is an object with code 2": {func(c *icimstest.TenantConfig) {
			c.Behavior = &icimstest.Behavior{EmptySearch: icimstest.ErrorsObject}
		}, func(p *store.TenantProfile) { p.Nobody, p.NobodyCode = store.NobodyIsErrors, 2 }},
		"nobody is 404 with code 2": {func(c *icimstest.TenantConfig) {
			c.Behavior = &icimstest.Behavior{EmptySearch: icimstest.Errors404}
		}, func(p *store.TenantProfile) { p.Nobody, p.NobodyCode = store.NobodyIsErrors, 2 }},
		"nobody is an object without a code": {func(c *icimstest.TenantConfig) {
			c.Behavior = &icimstest.Behavior{EmptySearch: icimstest.Uncoded}
		}, func(p *store.TenantProfile) { p.Nobody, p.NobodyCode = store.NobodyIsErrors, -1 }},
		"a status that is refused by its label": {func(c *icimstest.TenantConfig) {
			c.Behavior = &icimstest.Behavior{StatusByValue: icimstest.Refused}
		}, func(p *store.TenantProfile) { p.StatusID, p.KeepsStatus = "", store.No }},
		"a status that a new workflow does not get": {func(c *icimstest.TenantConfig) {
			c.Behavior = &icimstest.Behavior{StatusOnCreate: icimstest.Ignored}
		}, func(p *store.TenantProfile) { p.StatusLater = store.Yes }},
		"a route for pairs that is not there": {func(c *icimstest.TenantConfig) {
			c.Behavior = &icimstest.Behavior{PairRoute: icimstest.Absent}
		}, func(p *store.TenantProfile) { p.ReadsPair, p.FindsPair = store.No, store.Yes }},
		"neither a search nor a route for pairs": {func(c *icimstest.TenantConfig) {
			c.Behavior = &icimstest.Behavior{PairRoute: icimstest.Absent, PairSearch: icimstest.Misses}
		}, func(p *store.TenantProfile) { p.ReadsPair, p.FindsPair = store.No, store.No }},
		"a right that is missing": {func(c *icimstest.TenantConfig) { c.DeniedRoutes = []string{"workflows.pair"} },
			func(p *store.TenantProfile) { p.ReadsPair, p.FindsPair = store.No, store.Yes }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{tenant: c.tenant})
			before := time.Now().Add(-time.Minute)
			report := r.verify(verify.Args{})
			want := honest()
			c.want(&want)
			got := r.connection().Profile
			if diff := cmp.Diff(want, got, ofTenant); diff != "" || got != report.Profile {
				t.Errorf("(-want +got):\n%s\n%s", diff, shown(report))
			}
			if got.TestPerson != report.Person || got.SearchLag <= 0 || got.VerifiedAt < before.UnixMilli() {
				t.Errorf("%+v", got)
			}
			// Without a test candidate nothing is forgotten.
			if again := r.verify(verify.Args{NoTestCandidate: true}); again.Result != verify.ResultConnected || r.connection().Profile != got {
				t.Errorf("%s, %+v", again.Result, r.connection().Profile)
			}
		})
	}
}

func TestEitherWorldPeopleAreHiddenFromSearches(t *testing.T) {
	t.Parallel()
	for shown, c := range map[string]struct {
		result verify.Result
		states map[string]string
		sees   store.Answer
	}{
		icimstest.Everybody: {verify.ResultConnected, nil, store.Yes},
		icimstest.Nobody:    {verify.ResultDegraded, map[string]string{"test_found": "failed not_found_by_search", "search_many": "skipped needs_earlier_check"}, store.No},
	} {
		t.Run(shown, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{tenant: func(cfg *icimstest.TenantConfig) { cfg.Behavior = &icimstest.Behavior{PeopleInSearch: shown} }})
			first := r.verify(verify.Args{})
			wantChecks(t, first, c.result, c.states)
			if got := r.connection().Profile.SeesPeople; got != c.sees {
				t.Errorf("sees people: %q", got)
			}
			if worst, bad := first.Worst(); bad && !strings.Contains(worst.Remedy, "let the API user see all people in searches") {
				t.Errorf("remedy: %+v", worst)
			}
			if n := r.sim.CallCounts()["search.people"]; n > 30 {
				t.Errorf("%d searches", n)
			}
			// A week later it is the same test person, whether or not a search finds it.
			r.forgetPeople()
			again := r.verify(verify.Args{})
			if people := r.sim.Invariants().People; people != 1 || again.Person != first.Person || again.Result != c.result {
				t.Errorf("%d people, first %d, then %d, %s", people, first.Person, again.Person, again.Result)
			}
		})
	}
}

// TestEitherWorldExportsWaitWhileTheTestCandidateIsUnseen: until a first verification has found its
// test candidate, people may be hidden, and an export would duplicate them.
func TestEitherWorldExportsWaitWhileTheTestCandidateIsUnseen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		shown   string
		lag     time.Duration
		updated int
	}{
		"people are hidden": {icimstest.Nobody, 0, 0},
		"the search lags":   {icimstest.Everybody, 2 * time.Minute, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{tenant: func(cfg *icimstest.TenantConfig) { cfg.Behavior = &icimstest.Behavior{PeopleInSearch: c.shown} }})
			known := input.Candidate{ID: "c-1", FirstName: "Ottoline", LastName: "Quillfeather", Email: "ottoline@example.com"}
			r.tenant.AddPerson(map[string]any{"firstname": known.FirstName, "lastname": known.LastName, "email": known.Email})
			r.sim.SetFaults(icimstest.Faults{SearchLag: c.lag})
			state := func(id store.BatchID) (o store.Outcome) {
				if outcomes, err := r.ledger.Batches.Outcomes(t.Context(), id, 0, 1); err == nil && len(outcomes) == 1 {
					o = outcomes[0]
				}
				return o
			}
			waits := func(id store.BatchID) bool { return state(id).Reason == store.ReasonPeopleHidden }
			rests, proceed := make(chan struct{}, 1), make(chan struct{})
			r.resting = func() error {
				select {
				case rests <- struct{}{}:
				default: // not the first rest
				}
				<-proceed
				return nil
			}
			asked := r.ask(verify.Args{})
			<-rests
			r.useConnection()
			receipt, err := r.producer.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.ToJob(1709), Candidates: input.Candidates(known)})
			if err != nil {
				t.Error(err)
			}
			batch := receipt.Batch
			r.eventually("the export waits", func() bool { return waits(batch) })
			close(proceed)
			r.ended(asked)
			r.useConnection()
			if c.updated > 0 {
				r.eventually("the export is done", func() bool { return state(batch).State == store.Done })
			} else if !waits(batch) {
				t.Errorf("%+v", state(batch))
			}
			if people := r.sim.Invariants().People; people != 2 { // the known person and the test candidate
				t.Errorf("%d people", people)
			}
			b, err := r.ledger.Batches.Get(t.Context(), batch)
			if err != nil || b.Updated != c.updated || b.Created != 0 {
				t.Errorf("%+v, %v", b, err)
			}
		})
	}
}

// TestVerificationThatCannotEndHoldsNoExports: the first verification fails while it waits for the
// search to show its test candidate.
func TestVerificationThatCannotEndHoldsNoExports(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	r.sim.SetFaults(icimstest.Faults{SearchLag: 2 * time.Minute})
	held := false
	r.resting = func() error {
		held = r.connection().Profile.HeldUntil > 0
		return errors.New("interrupted")
	}
	report := r.verify(verify.Args{})
	if got := r.connection().Profile; report.Result != verify.ResultIncomplete || !held || got != (store.TenantProfile{}) {
		t.Errorf("%s, held %v, %+v\n%s", report.Result, held, got, shown(report))
	}
}

// TestFaultWhileTheTestCandidateIsUnseenReleasesNothing: people are hidden, and a search fails in
// between.
func TestFaultWhileTheTestCandidateIsUnseenReleasesNothing(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"unavailable": 503, "denied": 403} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{tenant: func(cfg *icimstest.TenantConfig) {
				cfg.Behavior = &icimstest.Behavior{PeopleInSearch: icimstest.Nobody}
			}})
			rests := 0
			r.resting = func() error {
				if rests++; rests == 3 {
					r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.StatusBefore, Status: status, Times: 2})
				}
				return nil
			}
			report := r.verify(verify.Args{})
			if got := r.connection().Profile; got.SeesPeople != store.No || got.HeldUntil != 0 || rests < 3 {
				t.Errorf("%s, %+v after %d rests\n%s", report.Result, got, rests, shown(report))
			}
		})
	}
}

func TestEitherWorldSearchLagIsMeasured(t *testing.T) {
	t.Parallel()
	const deployment = 90 * time.Second
	for lag, longer := range map[time.Duration]bool{0: false, 2 * time.Minute: true} {
		t.Run(lag.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{})
			r.sim.SetFaults(icimstest.Faults{SearchLag: lag})
			wantChecks(t, r.verify(verify.Args{}), verify.ResultConnected, nil)
			got := r.connection().Profile
			if got.SearchLag < lag || got.SettleTime(deployment) > deployment != longer {
				t.Errorf("lag %s, settle time %s", got.SearchLag, got.SettleTime(deployment))
			}
			// The test candidate exists by now, which says nothing new about the lag.
			r.verify(verify.Args{})
			if again := r.connection().Profile.SearchLag; again < lag {
				t.Errorf("forgotten: %s", again)
			}
		})
	}
}

func TestEitherWorldAcceptedFieldsAreNotStored(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		unstored []string
		missing  string
	}{
		"all are stored":           {nil, ""},
		"the histories":            {[]string{"workexperience", "education"}, "education,workexperience"},
		"LinkedIn and source":      {[]string{"field51001", "source"}, "field51001,source"},
		"phones":                   {[]string{"phones"}, "phones"},
		"status and source of the": {[]string{"applicantworkflow.status", "applicantworkflow.source"}, "applicantworkflow.source"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{tenant: func(cfg *icimstest.TenantConfig) { cfg.UnstoredFields = c.unstored }})
			report := r.verify(verify.Args{})
			profile := r.connection().Profile
			if profile.Missing != c.missing || (profile.KeepsStatus == store.Yes) == slices.Contains(c.unstored, "applicantworkflow.status") {
				t.Errorf("%+v", profile)
			}
			if c.missing == "" {
				wantChecks(t, report, verify.ResultConnected, nil)
				return
			}
			changes := map[string]string{"test_stored": "warned not_stored"}
			if slices.Contains(c.unstored, "applicantworkflow.status") {
				// The export has already noticed that, and omitted the status.
				changes["test_workflow"] = "warned status_refused"
			}
			wantChecks(t, report, verify.ResultDegraded, changes)
			for _, check := range report.Checks {
				if check.Name != verify.CheckStored {
					continue
				}
				for field := range strings.SplitSeq(c.missing, ",") {
					if !strings.Contains(check.Cause, field) {
						t.Errorf("%s is not named: %+v", field, check)
					}
				}
				if !strings.Contains(check.Remedy, "let the API user see and edit these fields") {
					t.Errorf("%+v", check)
				}
			}
		})
	}
}

// TestFolderThatCannotBeReadFailsTheVerification: a missing folder of the test candidate is a
// failed check, since the folder distinguishes employees from candidates.
func TestFolderThatCannotBeReadFailsTheVerification(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{tenant: func(cfg *icimstest.TenantConfig) { cfg.HiddenFields = []string{"folder"} }})
	report := r.verify(verify.Args{})
	if got := checkStates(report)["folder"]; got != "failed folder_hidden" || report.Result != verify.ResultDegraded || r.connection().Profile.SeesFolder != store.No {
		t.Errorf("%s, %s\n%s", got, report.Result, shown(report))
	}
}

// TestTestCandidateIsCompletedOnceRightsAreGranted: a field that is stored only on the second try,
// as after a right was granted, is not missing.
func TestTestCandidateIsCompletedOnceRightsAreGranted(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	id := r.verify(verify.Args{}).Person
	// As for a person created before the account could set these fields.
	r.tenant.ClearFields(id, "education", "source")
	wantChecks(t, r.verify(verify.Args{}), verify.ResultConnected, nil)
	fields, _ := r.tenant.Person(id)
	if fields["education"] == nil || fields["source"] == nil {
		t.Errorf("%v", fields)
	}
}

// TestEitherWorldVerificationTriesSeveralAddresses: if one search does not find several addresses,
// verification reports and saves that, and exports with that profile look up each address
// individually.
func TestEitherWorldVerificationTriesSeveralAddresses(t *testing.T) {
	t.Parallel()
	for group, c := range map[string]struct {
		result verify.Result
		states map[string]string
		or     store.Answer
	}{
		icimstest.Any:     {verify.ResultConnected, nil, store.Yes},
		icimstest.First:   {verify.ResultDegraded, map[string]string{"search_many": "warned search_finds_one"}, store.No},
		icimstest.Last:    {verify.ResultDegraded, map[string]string{"search_many": "warned search_finds_one"}, store.No},
		icimstest.Refused: {verify.ResultDegraded, map[string]string{"search_many": "warned search_finds_one"}, store.No},
	} {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			const n = 10
			r := newRig(t, rigOptions{tenant: func(cfg *icimstest.TenantConfig) { cfg.Behavior = &icimstest.Behavior{GroupOr: group} }})
			report := r.verify(verify.Args{})
			wantChecks(t, report, c.result, c.states)
			conn := r.connection()
			if conn.Profile.SearchOr != c.or {
				t.Errorf("saved: %+v", conn.Profile)
			}
			for _, check := range report.Checks {
				if check.Name == verify.CheckSearchMany && c.or == store.No && (!strings.Contains(check.Cause, "several addresses") || !strings.Contains(check.Remedy, "Each candidate is looked up by itself")) {
					t.Errorf("%+v", check)
				}
			}
			for _, f := range conn.Profile.Findings() {
				if f.Name == "search_or" && (f.Answer != c.or || c.or == store.No && !strings.Contains(f.Means, "looked up by itself")) {
					t.Errorf("%+v", f)
				}
			}

			r.useConnection()
			before := len(r.tenant.People())
			all := make([]input.Candidate, 2*n)
			for i := range all {
				all[i] = input.Candidate{ID: fmt.Sprint("c-", i), FirstName: "Ottoline", LastName: "Quillfeather", Email: fmt.Sprintf("c%d@example.com", i)}
				if i < n {
					r.tenant.AddPerson(map[string]any{"firstname": "Ottoline", "lastname": "Quillfeather", "email": all[i].Email})
				}
			}
			r.sim.ResetCalls()
			receipt, err := r.producer.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.ToJob(1709), Candidates: input.Candidates(all...)})
			if err != nil {
				t.Fatal(err)
			}
			var b store.Batch
			r.eventually("the batch ends", func() bool {
				b, err = r.ledger.Batches.Get(t.Context(), receipt.Batch)
				return err == nil && !b.Ended.IsZero()
			})
			if inv := r.sim.Invariants(); b.Created != n || b.Updated != n || inv.People != before+2*n || len(inv.Violations()) > 0 {
				t.Errorf("%+v; %d people, %v", b, inv.People, inv.Violations())
			}
			searches := r.sim.CallCounts()["search.people"]
			if c.or == store.Yes && searches > 2*n/2 || c.or == store.No && searches < 2*n {
				t.Errorf("%d searches", searches)
			}
		})
	}
}

// TestEitherWorldVerifiedStatusReachesExports: verification sets the status of its own workflow by a
// second call, with the ID that it finds by the label. Exports must not take that for accepted.
func TestEitherWorldVerifiedStatusReachesExports(t *testing.T) {
	t.Parallel()
	const n = 4
	for _, byLabel := range []string{icimstest.Accepted, icimstest.Ignored} {
		t.Run("label "+byLabel, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{tenant: func(cfg *icimstest.TenantConfig) {
				cfg.Behavior = &icimstest.Behavior{StatusOnCreate: icimstest.Ignored, StatusByValue: byLabel}
			}})
			r.tenant.AddWorkflow(r.tenant.AddPerson(map[string]any{"firstname": "Else", "lastname": "Where", "email": "else@example.com"}), 1701, "D10106")
			r.verify(verify.Args{})
			if got := r.connection().Profile; got.StatusLater != store.Yes || got.StatusID != "D10106" {
				t.Errorf("%+v", got)
			}
			r.useConnection()
			all := make([]input.Candidate, n)
			for i := range all {
				all[i] = input.Candidate{ID: fmt.Sprint("c-", i), FirstName: "Ottoline", LastName: "Quillfeather", Email: fmt.Sprintf("c%d@example.com", i)}
			}
			receipt, err := r.producer.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.ToJob(1709), Candidates: input.Candidates(all...)})
			if err != nil {
				t.Fatal(err)
			}
			r.eventually("the batch ends", func() bool {
				b, err := r.ledger.Batches.Get(t.Context(), receipt.Batch)
				return err == nil && b.Created == n
			})
			for _, w := range r.tenant.Workflows() {
				if w.StatusID != "D10106" {
					t.Errorf("workflow %d has the status %s", w.ID, w.StatusID)
				}
			}
		})
	}
}

// TestEitherWorldWorkflowsAreHidden: if neither a search nor a read finds a workflow, the check
// fails. The next verification does not add the test candidate to the job again.
func TestEitherWorldWorkflowsAreHidden(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		search, route string
		result        verify.Result
		said          string
	}{
		"both":          {icimstest.Finds, icimstest.Present, verify.ResultConnected, "ok"},
		"by a search":   {icimstest.Finds, icimstest.Absent, verify.ResultDegraded, "warned pair_not_readable"},
		"by its route":  {icimstest.Misses, icimstest.Present, verify.ResultConnected, "ok"},
		"not at all":    {icimstest.Misses, icimstest.Absent, verify.ResultDegraded, "failed pair_not_visible"},
		"not permitted": {icimstest.Misses, icimstest.Denied, verify.ResultDegraded, "failed pair_not_visible"},
		"search denied": {icimstest.Denied, icimstest.Present, verify.ResultConnected, "ok"},
		"both denied":   {icimstest.Refused, icimstest.Denied, verify.ResultDegraded, "failed pair_not_visible"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{tenant: func(cfg *icimstest.TenantConfig) {
				cfg.Behavior = &icimstest.Behavior{PairSearch: c.search, PairRoute: c.route, DuplicateWorkflow: icimstest.Allow}
			}})
			for range 2 {
				wantChecks(t, r.verify(verify.Args{}), c.result, map[string]string{"workflow_of_person": c.said})
				r.forgetPeople()
			}
			if inv := r.sim.Invariants(); len(inv.Violations()) > 0 || inv.Workflows != 1 {
				t.Errorf("%d workflows, %v", inv.Workflows, inv.Violations())
			}
		})
	}
}
