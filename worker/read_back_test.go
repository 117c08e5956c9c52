package worker_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// readBack reads up to n exported people back, and returns the result and the plan.
func (r *rig) readBack(n int) (readback.ReadBack, readback.Plan) {
	r.t.Helper()
	plan, err := readback.NewPlan(r.t.Context(), r.ledger, r.conn, n)
	if err != nil {
		r.t.Fatal(err)
	}
	r.sim.ResetCalls()
	e, _, err := tasks.RequestControl(r.t.Context(), r.redis, r.ledger, customer, store.ControlReadBack, plan.Args, "maria")
	if err != nil {
		r.t.Fatal(err)
	}
	v, err := readback.View(r.endedControl(e))
	if err != nil {
		r.t.Fatal(err)
	}
	return v, plan
}

// fates are the counts of each field: sent, arrived, changed, missing.
func fates(report readback.Findings) map[readback.Field][4]int {
	all := map[readback.Field][4]int{}
	for _, c := range report.Fields {
		all[c.Field] = [4]int{c.Sent, c.Arrived, c.Changed, c.Missing}
	}
	return all
}

func (r *rig) figures() store.ReadBack {
	r.t.Helper()
	all, err := r.ledger.Candidates.ReadBacks(r.t.Context(), customer)
	if err != nil {
		r.t.Fatal(err)
	}
	return all[customer]
}

func TestReadBackFindsEachFieldThatArrived(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	r.run(input.ToJob(job), input.Options{}, people(10)...)
	v, plan := r.readBack(10)
	if plan.People != 10 || plan.Workflows != 10 || plan.Calls != 20 || v.MaxCalls != 20 || v.Calls != 20 || r.sim.CallCount() != 20 {
		t.Errorf("planned %+v, %d calls reported, %d made", plan, v.Calls, r.sim.CallCount())
	}
	if n := r.calls("people.get", "workflows.get"); n != 20 {
		t.Errorf("%d calls read", n)
	}
	got := fates(v.Report)
	for _, f := range readback.Fields() {
		if got[f] != [4]int{10, 10, 0, 0} {
			t.Errorf("%s: sent, arrived, changed, missing: %v", f, got[f])
		}
	}
	if v.State != store.ControlDone || v.Report.Result != readback.ResultComplete || !v.Report.Clean() || v.Report.People.Found != 10 || v.Report.Workflows.Found != 10 {
		t.Errorf("%+v", v)
	}
	if f := r.figures(); len(f.Fields) != len(readback.Fields()) || f.Fields["education"].Share != 1 || f.Fields["education"].Lost() || f.At.IsZero() {
		t.Errorf("figures: %+v", f)
	}
}

func TestReadBackReportsChangedAndMissingFields(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	r.run(input.ToJob(job), input.Options{}, people(10)...)
	r.readBack(10)
	for i, p := range r.tenant.People() {
		change := map[string]any{"education": nil} // of all
		if i < 3 {
			change["lastname"] = "Someone Else"
		}
		// iCIMS may store these in another format; they are the same value.
		change["field51001"] = "HTTPS://www.linkedin.com/in/example/"
		change["firstname"] = "ANA  "
		r.tenant.Change(p.ID, change)
	}
	v, _ := r.readBack(10)
	got := fates(v.Report)
	for f, want := range map[readback.Field][4]int{
		readback.Education: {10, 0, 0, 10}, readback.LastName: {10, 7, 3, 0}, readback.LinkedIn: {10, 10, 0, 0}, readback.FirstName: {10, 10, 0, 0},
	} {
		if got[f] != want {
			t.Errorf("%s: sent, arrived, changed, missing: %v, want %v", f, got[f], want)
		}
	}
	if v.Report.Clean() {
		t.Error("a report with a lost field is clean")
	}
	for name, f := range r.figures().Fields {
		if f.Lost() != (name == "education") {
			t.Errorf("%s: %+v", name, f)
		}
	}
	// Asked again, it is still lost: a low rate is not the new normal.
	r.readBack(10)
	if f := r.figures().Fields["education"]; !f.Lost() || *f.Earlier != 1 {
		t.Errorf("at the next read-back: %+v", f)
	}
}

func TestReadBackReportsMissingPeople(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	b := r.run(input.ToJob(job), input.Options{}, people(4)...)
	outcomes := r.outcomes(b.ID)
	r.tenant.Purge(outcomes[0].Person)
	r.tenant.Merge(outcomes[1].Person, outcomes[2].Person)
	v, _ := r.readBack(10)
	want := []int64{outcomes[0].Person, outcomes[1].Person}
	gone := slices.Sorted(slices.Values(v.Report.People.Gone))
	slices.Sort(want)
	if !slices.Equal(gone, want) || v.Report.People.Found != 2 || v.Report.Clean() {
		t.Errorf("gone %v, want %v; %+v", gone, want, v.Report)
	}
	if len(v.Report.Workflows.Gone) != 2 || v.Calls != r.sim.CallCount() || v.Calls != 8 {
		t.Errorf("%+v, %d calls reported, %d made", v.Report.Workflows, v.Calls, r.sim.CallCount())
	}
	if f := fates(v.Report)[readback.Email]; f != [4]int{2, 2, 0, 0} {
		t.Errorf("of the existing people: %v", f)
	}
}

func TestReadBackChecksPresenceWithoutDigests(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	r.run(input.ToJob(job), input.Options{}, people(3)...)
	for _, key := range r.sentKeys() {
		r.must(r.redis.Del(t.Context(), key).Err())
	}
	v, plan := r.readBack(10)
	if plan.Calls != 6 || v.Report.PresenceOnly != 3 || v.Report.People.Found != 3 || v.Report.Workflows.Found != 3 || len(v.Report.Fields) != 0 || !v.Report.Clean() {
		t.Errorf("%+v %+v", plan, v)
	}
}

// sentKeys returns the keys with digests of sent fields.
func (r *rig) sentKeys() []string {
	r.t.Helper()
	keys, err := r.redis.Keys(r.t.Context(), "ix:{"+customer+"}:sent:*").Result()
	if err != nil || len(keys) == 0 {
		r.t.Fatalf("%d lists of digests, %v", len(keys), err)
	}
	return keys
}

func TestReadBackCountsWhatAnUpdateSent(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	c := ana()
	r.tenant.AddPerson(map[string]any{"firstname": "Anna", "lastname": c.LastName, "email": c.Email})
	r.run(input.Prospects, input.Options{}, c)
	v, _ := r.readBack(1)
	got := slices.Sorted(maps.Keys(fates(v.Report)))
	want := []readback.Field{readback.FirstName, readback.LinkedIn, readback.Phones}
	if !slices.Equal(got, want) || !v.Report.Clean() {
		t.Errorf("sent %v, want %v: %+v", got, want, v.Report)
	}
}

func TestReadBackStopsWithoutQuota(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), tenant: func(c *icimstest.TenantConfig) { c.DailyLimit = 20 }})
	r.run(input.ToJob(job), input.Options{}, people(5)...)
	v, plan := r.readBack(5)
	if !plan.Short() || v.Report.Result != readback.ResultIncomplete || v.Report.Stopped != "icims_quota_exhausted" || v.Report.Remedy == "" || r.sim.CallCount() != 0 {
		t.Errorf("%d calls, %+v, %+v", r.sim.CallCount(), plan, v)
	}
	if f := r.figures(); len(f.Fields) != 0 {
		t.Errorf("figures stored for unread records: %+v", f)
	}
}

func TestReadBackStopsOnRefusedCredentials(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	r.run(input.ToJob(job), input.Options{}, people(5)...)
	r.tenant.SetPassword("another")
	v, _ := r.readBack(5)
	if v.Report.Stopped != "icims_credentials" || r.sim.CallCount() != 1 || len(v.Report.People.Gone) != 0 {
		t.Errorf("%d calls, %+v", r.sim.CallCount(), v)
	}
}

func TestReadBackStoresNoPersonalData(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	r.run(input.ToJob(job), input.Options{}, people(20)...)
	for _, p := range r.tenant.People() {
		r.tenant.Change(p.ID, map[string]any{"lastname": "Duarte-Telltale"})
	}
	v, _ := r.readBack(20)
	if fates(v.Report)[readback.LastName] != [4]int{20, 0, 20, 0} {
		t.Errorf("%+v", v.Report)
	}
	if keys := redistest.Dump(t, r.redis).Holding(personalValues...); len(keys) > 0 {
		t.Errorf("personal data in clear in %v", keys)
	}
	for _, telltale := range personalValues {
		if strings.Contains(strings.ToLower(r.logs.String()), strings.ToLower(telltale)) {
			t.Errorf("%q is in the log", telltale)
		}
	}
	// Equal values of two people must have different digests.
	seen := map[string]string{}
	for _, key := range r.sentKeys() {
		for _, line := range r.redis.LRange(t.Context(), key, 0, -1).Val() {
			for part := range strings.SplitSeq(line[strings.LastIndex(line, "|")+1:], ",") {
				if other, again := seen[part]; again {
					t.Errorf("%s is in %s and in %s", part, other, line)
				}
				seen[part] = line
			}
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d digests", len(seen))
	}
}

func TestReadBackFindsFieldsThatWereNeverStored(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), tenant: func(c *icimstest.TenantConfig) { c.UnstoredFields = []string{"education", "field51001"} }})
	r.run(input.ToJob(job), input.Options{}, people(6)...)
	v, _ := r.readBack(6)
	for _, c := range v.Report.Fields {
		lost := c.Field == readback.Education || c.Field == readback.LinkedIn
		if c.Low() != lost || lost && c.Missing != 6 {
			t.Errorf("%+v", c)
		}
	}
	if len(v.Report.Fields) != len(readback.Fields()) {
		t.Errorf("%d fields were sent", len(v.Report.Fields))
	}
}

// If iCIMS ignores a status, all workflows have the same other status. If recruiters move
// candidates on, they have several.
func TestReadBackFindsAStatusThatIsIgnored(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		behaviour string
		move      bool
		low       bool
	}{
		"taken":                {icimstest.Accepted, false, false},
		"ignored":              {icimstest.Ignored, false, true},
		"accepted, then moved": {icimstest.Accepted, true, false},
		"ignored, one moved":   {icimstest.Ignored, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: behaving(icimstest.Behavior{StatusByValue: c.behaviour}), conn: func(conn *store.Connection) {
				conn.Profile.KeepsStatus = store.Yes // as verified
			}})
			b := r.run(input.ToJob(job), input.Options{}, people(8)...)
			if b.Created != 8 {
				t.Fatalf("%+v", b)
			}
			if c.move {
				r.tenant.MoveWorkflow(r.outcomes(b.ID)[0].Workflow, "D10108")
			}
			v, _ := r.readBack(8)
			var status readback.FieldCount
			for _, f := range v.Report.Fields {
				if f.Field == readback.Status {
					status = f
				}
			}
			if status.Sent != 8 || status.Low() != c.low || v.Report.Clean() == c.low {
				t.Errorf("%+v, clean %v", status, v.Report.Clean())
			}
			if said := v.Violations(); c.low && (len(said) != 1 || !strings.Contains(said[0].Text, "the same other value")) {
				t.Errorf("%+v", said)
			}
		})
	}
}

// The alert fires for a field that arrived before.
func TestReadBackDetectsNewlyIgnoredStatus(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	b := r.run(input.ToJob(job), input.Options{}, people(6)...)
	r.readBack(6)
	if f := r.figures().Fields["workflow_status"]; f.Share != 1 || f.Lost() {
		t.Errorf("%+v", f)
	}
	for _, o := range r.outcomes(b.ID) {
		r.tenant.MoveWorkflow(o.Workflow, "D10100")
	}
	r.readBack(6)
	if f := r.figures().Fields["workflow_status"]; !f.Lost() {
		t.Errorf("%+v", f)
	}
}
