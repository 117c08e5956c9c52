package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

// begun requests a verification and claims it, as a worker would.
func (r *rig) begun(args verify.Args) store.ControlClaim {
	r.t.Helper()
	if _, _, err := r.ledger.Control.Record(r.t.Context(), mine, store.ControlVerify, args, "maria"); err != nil {
		r.t.Fatal(err)
	}
	return testrig.BeginControl(r.t, r.ledger, mine, store.ControlVerify)
}

func (r *rig) step(claim store.ControlClaim, step store.ControlStep) {
	r.t.Helper()
	if err := r.ledger.Control.Step(r.t.Context(), claim, step); err != nil {
		r.t.Fatal(err)
	}
}

// verified adds an ended verification, and returns its page's URL.
func (r *rig) verified(result verify.Result, checks ...verify.Check) string {
	r.t.Helper()
	claim := r.begun(verify.Args{Job: 1709})
	r.step(claim, store.ControlStep{To: store.ControlDone, Result: verify.Report{Result: result, Checks: checks, Job: 1709, Person: 90001}, Calls: 10})
	return "/customers/1234/verifications/" + claim.ID
}

func TestVerifyFromTheForm(t *testing.T) {
	cases := map[string]struct {
		form url.Values
		want verify.Args
	}{
		"by the button of the connection": {nil, verify.Args{}},
		"to any job":                      {url.Values{"choose": {"1"}, "test": {"yes"}, "job": {"first"}}, verify.Args{}},
		"to a chosen job":                 {url.Values{"choose": {"1"}, "test": {"yes"}, "job": {"1709"}}, verify.Args{Job: 1709}},
		"to a job by its number":          {url.Values{"choose": {"1"}, "test": {"yes"}, "job": {"first"}, "job_number": {"42"}}, verify.Args{Job: 42}},
		"without the test candidate":      {url.Values{"choose": {"1"}, "job": {"first"}}, verify.Args{NoTestCandidate: true}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.connected()
			p := r.person(api.ScopeAdmin, mine)
			got := p.post("/customers/1234/verifications", c.form)
			if got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.to(), "/customers/1234/verifications/") {
				t.Fatalf("%d to %q: %s", got.StatusCode, got.to(), got.text)
			}
			asked, err := r.ledger.Control.List(t.Context(), mine, store.ControlVerify)
			if err != nil || len(asked) != 1 {
				t.Fatalf("%+v, %v", asked, err)
			}
			if v, err := verify.View(asked[0]); err != nil || v.Asks != c.want {
				t.Errorf("asked for %+v, %v", v.Asks, err)
			}
			again := p.post("/customers/1234/verifications", c.form)
			if again.to() != got.to()+"?did=verification-joined" {
				t.Errorf("asked again: to %q", again.to())
			}
			p.get(again.to()).wants(t, http.StatusOK, "already running")
		})
	}
}

func TestInvalidJobIsReportedAtThePicker(t *testing.T) {
	r := newRig(t)
	r.connected()
	p := r.person(api.ScopeAdmin, mine)
	got := p.post("/customers/1234/verifications", url.Values{"choose": {"1"}, "job_number": {"<b>x"}})
	got.wants(t, http.StatusUnprocessableEntity, `id="job-wrong"`, "Not a job number", `value="&lt;b&gt;x"`)
	got.lacks(t, `name="test" value="yes" checked`)
	r.person(api.ScopeAdmin, "77").post("/customers/77/verifications", nil).wants(t, http.StatusSeeOther) // it may be in the connections file
}

func TestChecksAppearAsTheyEnd(t *testing.T) {
	r := newRig(t)
	r.connected()
	p := r.person(api.ScopeRead, mine)
	if _, _, err := r.ledger.Control.Record(t.Context(), mine, store.ControlVerify, verify.Args{}, "maria"); err != nil {
		t.Fatal(err)
	}
	claim := func() store.ControlClaim {
		p.get("/connections/1234").wants(t, http.StatusOK, "Verification in progress")
		list, err := r.ledger.Control.List(t.Context(), mine, store.ControlVerify)
		if err != nil {
			t.Fatal(err)
		}
		p.get("/customers/1234/verifications/"+list[0].ID).wants(t, http.StatusOK, "No active workers", "Refresh", `hx-trigger="every 1s"`)
		return r.begun(verify.Args{})
	}()
	path := "/customers/1234/verifications/" + claim.ID
	r.step(claim, store.ControlStep{Result: verify.Report{Result: verify.ResultRunning, Checks: []verify.Check{
		{Name: verify.CheckReach, Title: "Connection to iCIMS", State: verify.OK, Found: "the host answers"},
		{Name: verify.CheckPortal, Title: "Job portal", Subject: markup, State: verify.Running},
		{Name: verify.CheckQuota, Title: "Daily calls", State: verify.Pending},
	}}})
	got := p.get(path, "HX-Request", "true")
	got.wants(t, http.StatusOK, "1 of 3 checks done", `class="badge good">passed`, "the host answers", `class="badge busy">running`, "pending", "&lt;script&gt;", `hx-trigger="every 1s"`)
	got.lacks(t, "<html", "<script>alert", "Verify again")
	r.step(claim, store.ControlStep{To: store.ControlFailed, Failure: store.ControlSealed})
	got = p.get(path, "HX-Request", "true")
	got.wants(t, http.StatusOK, "Not verified", "keyset cannot open the connection")
	got.lacks(t, "every 1s")
}

func TestVerificationShowsResultAndRemedy(t *testing.T) {
	passed := verify.Check{Name: verify.CheckReach, Title: "Connection to iCIMS", State: verify.OK}
	bad := func(name verify.Name, state verify.State, code verify.Code) verify.Check {
		return verify.Check{Name: name, Title: "A check", State: state, Code: code, Cause: "It is <i>so</i>.", Remedy: "Do that.", Status: 403, Transaction: "{AB}"}
	}
	skipped := verify.Check{Name: verify.CheckTest, Title: "Test candidate", State: verify.Skipped, Code: verify.CodeNeedsEarlier, Cause: "An earlier check failed.", Remedy: "Fix the earlier one."}
	cases := map[string]struct {
		result    verify.Result
		checks    []verify.Check
		has, lack []string
	}{
		"connected": {verify.ResultConnected, []verify.Check{passed},
			[]string{`class="verdict good"><h2>Connected</h2>`, "90001", "1709", `href="/customers/1234/export"`, "Verify again"}, []string{"192.0.2.7", "Edit connection"}},
		"a warning": {verify.ResultDegraded, []verify.Check{passed, bad(verify.CheckTest, verify.Warned, verify.CodeNoJob)},
			[]string{"Connected with warnings", "It is &lt;i&gt;so&lt;/i&gt;.", "Do that.", "Edit connection"}, []string{"<i>so", "192.0.2.7", "Connected</h2>"}},
		"a check that failed": {verify.ResultDegraded, []verify.Check{passed, bad(verify.CheckSearch, verify.Failed, verify.CodeRightMissing), skipped},
			[]string{"Verification failed", "A check: failed.", "status 403", "{AB}", "Fix the failed check, then verify again."}, []string{"An earlier check failed.", "Fix the earlier one", "192.0.2.7"}},
		"the address refused": {verify.ResultRefused, []verify.Check{bad(verify.CheckAddress, verify.Failed, verify.CodeAddressRefused)},
			[]string{"iCIMS refuses", `data-copy="192.0.2.7"`, "allow-list it"}, []string{"step=credentials"}},
		"the credentials rejected": {verify.ResultRefused, []verify.Check{bad(verify.CheckCredentials, verify.Failed, verify.CodeCredentials)},
			[]string{"iCIMS refuses", `href="/connections/1234/edit?step=credentials"`, `data-copy="192.0.2.7"`}, nil},
		"not finished": {verify.ResultIncomplete, []verify.Check{passed, bad(verify.CheckTest, verify.Warned, verify.CodeQuotaExhausted)},
			[]string{"Verification incomplete", "state is unchanged", "Do that."}, []string{"Edit connection"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(d *api.Deps, _ *Options) { d.Settings.EgressAddresses = []string{"192.0.2.7"} })
			r.connected()
			path := r.verified(c.result, c.checks...)
			got := r.person(api.ScopeAdmin, mine).get(path)
			got.wants(t, http.StatusOK, append(c.has, `name="job" value="1709"`, "Run by maria", "10 calls")...)
			got.lacks(t, append(c.lack, "every 1s")...)
			if strings.Count(got.text, "Do that.") > 1 {
				t.Error("what to do is said twice")
			}
			reader := r.person(api.ScopeRead, mine).get(path)
			reader.wants(t, http.StatusOK, "Verification")
			reader.lacks(t, "Verify again", "Edit connection", `href="/customers/1234/export"`)
		})
	}
}

func TestVerificationsOfOtherCustomersAreHidden(t *testing.T) {
	r := newRig(t)
	r.connected()
	path := r.verified(verify.ResultConnected)
	r.person(api.ScopeAdmin, "77").get(path).wants(t, http.StatusNotFound)
	p := r.person(api.ScopeAdmin)
	p.get(strings.Replace(path, mine, "77", 1)).wants(t, http.StatusNotFound, "Verification not found")
	p.get("/customers/1234/verifications/nonsense").wants(t, http.StatusUnprocessableEntity)
}
