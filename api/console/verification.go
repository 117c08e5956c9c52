package console

import (
	"slices"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

func (c *Console) registerVerification() {
	c.handle("GET /connections/{customer}/verify", "integrations", api.ScopeAdmin, (*visit).askVerification)
	c.handle("POST /customers/{customer}/verifications", "integrations", api.ScopeAdmin, (*visit).startVerification)
	c.handle("GET /customers/{customer}/verifications/{verification}", "integrations", api.ScopeRead, (*visit).verification)
}

// verificationForm asks what to verify, as the third step of a connection's form.
type verificationForm struct {
	Job     jobPicker
	Test    bool // send the test candidate
	Egress  []string
	Refused *Refusal
}

func (v *visit) askVerification() error {
	return v.showVerificationForm(verificationForm{Test: true}, firstJob)
}

func (v *visit) showVerificationForm(form verificationForm, chosen string) error {
	wrong := form.Job.Wrong
	var err error
	if form.Job, err = v.jobPicker("job", chosen, firstJob); err != nil {
		return err
	}
	form.Job.Wrong = wrong
	if form.Egress, err = v.egress(); err != nil {
		return err
	}
	if form.Refused != nil {
		return v.pageWith(form.Refused, "connection-verify", "Verify connection", form)
	}
	return v.page("connection-verify", "Verify connection", form)
}

// saidJoined is shown if another user's verification is running.
var saidJoined = say("verification-joined", "A verification is already running. It uses its own options.")

// startVerification requests a verification. Without the field test, such as from the button on a
// connection's page, it exports the test candidate to any job.
func (v *visit) startVerification() error {
	test := !v.r.PostForm.Has("choose") || v.r.PostForm.Get("test") == "yes"
	order := api.VerificationOrder{TestCandidate: &test}
	id, chosen := pickedJob(v.r.PostForm, "job")
	form := verificationForm{Test: test}
	if order.Job = id; id == 0 && chosen != "" && chosen != firstJob {
		form.Job.Wrong = noJobNumber
		form.Refused = refusedFields([]api.FieldProblem{*noJobNumber})
		form.Refused.Title = "invalid job"
		return v.showVerificationForm(form, chosen)
	}
	var started api.StartedVerification
	err := v.post(v.customerPath("verifications"), order, &started)
	if refused, ok := refusalOf(err); ok && len(refused.Errors) > 0 {
		form.Refused, form.Job.Wrong = refused, refused.Of("job")
		return v.showVerificationForm(form, chosen)
	}
	if err != nil {
		return err
	}
	said := ""
	if started.Joined {
		said = saidJoined
	}
	return v.redirect("/customers/"+v.Customer+"/verifications/"+started.ID, said)
}

// verificationPage is a verification, running or ended.
type verificationPage struct {
	verify.Verification

	MayVerify, MayExport bool
	Egress               []string
}

func (v *visit) verification() error {
	page := verificationPage{MayVerify: v.May(api.ScopeAdmin), MayExport: v.May(api.ScopeExport)}
	err := v.get(v.customerPath("verifications", v.r.PathValue("verification")), nil, &page.Verification)
	if err != nil {
		return err
	}
	if page.NeedsAddresses() {
		if page.Egress, err = v.egress(); err != nil {
			return err
		}
	}
	if v.byHTMX() {
		return v.part("verification", "progress", page)
	}
	return v.page("verification", "Verification", page)
}

// Path returns the page's URL.
func (p verificationPage) Path() string {
	return "/customers/" + p.Customer + "/verifications/" + p.ID
}

// Waits reports whether no worker has started it.
func (p verificationPage) Waits() bool { return p.State == store.ControlWaiting }

// Moves reports whether the verification has not ended.
func (p verificationPage) Moves() bool { return !p.State.Ended() }

// Undone reports whether it ended without a result.
func (p verificationPage) Undone() bool { return p.State == store.ControlFailed }

// Done counts the checks that have ended.
func (p verificationPage) Done() (n int) {
	for _, c := range p.Report.Checks {
		if c.State != verify.Pending && c.State != verify.Running {
			n++
		}
	}
	return n
}

// Outcome returns connected, partly, broken, refused or incomplete.
func (p verificationPage) Outcome() string {
	worst, found := p.Report.Worst()
	switch {
	case p.Report.Result == verify.ResultDegraded && found && worst.State == verify.Failed:
		return "broken"
	case p.Report.Result == verify.ResultDegraded:
		return "partly"
	}
	return string(p.Report.Result)
}

// Worst returns the most serious failed check; nil for none.
func (p verificationPage) Worst() *verify.Check {
	if worst, ok := p.Report.Worst(); ok {
		return &worst
	}
	return nil
}

// Shown reports whether a check's remedy is already shown above the checks.
func (p verificationPage) Shown(c verify.Check) bool {
	worst, found := p.Report.Worst()
	return found && !p.Moves() && !p.Undone() && p.Outcome() != string(verify.ResultConnected) && c.Name == worst.Name && c.Subject == worst.Subject
}

// NeedsEarlier reports whether a check was skipped because an earlier one failed. The page says
// that once for all of them.
func (verificationPage) NeedsEarlier(c verify.Check) bool {
	return c.State == verify.Skipped && c.Code == verify.CodeNeedsEarlier
}

// AnySkipped reports whether there are such checks.
func (p verificationPage) AnySkipped() bool {
	return slices.ContainsFunc(p.Report.Checks, p.NeedsEarlier)
}

// NeedsAddresses reports whether iCIMS may need to allow this service's addresses.
func (p verificationPage) NeedsAddresses() bool {
	worst, _ := p.Report.Worst()
	return worst.Code == verify.CodeAddressRefused || worst.Code == verify.CodeAccountDenied || worst.Code == verify.CodeCredentials
}

// Credentials reports whether the credentials must be corrected.
func (p verificationPage) Credentials() bool {
	worst, _ := p.Report.Worst()
	return worst.Code == verify.CodeCredentials
}

// checkStateNames are the displayed names of check states.
var checkStateNames = map[verify.State]string{
	verify.Pending: "pending", verify.Running: "running", verify.OK: "passed", verify.Warned: "warning", verify.Failed: "failed", verify.Skipped: "skipped",
}

// checkWord returns the displayed name of a check's state.
func checkWord(s verify.State) string { return checkStateNames[s] }

// resultNames are the displayed names of results.
var resultNames = map[verify.Result]string{
	verify.ResultRunning: "running", verify.ResultConnected: "connected", verify.ResultDegraded: "degraded", verify.ResultRefused: "refused", verify.ResultIncomplete: "incomplete",
}

// resultWord returns the displayed name of a verification's result.
func resultWord(v verify.Verification) string {
	if v.State == store.ControlFailed {
		return "not verified"
	}
	return resultNames[v.Report.Result]
}

// verdict describes a verification's result.
func verdict(v verify.Verification) string {
	worst, found := v.Report.Worst()
	switch {
	case v.Problem != "":
		return v.Problem
	case found:
		return worst.Title + ": " + checkWord(worst.State) + ". " + worst.Cause
	case v.Report.Result == verify.ResultConnected:
		return "All checks passed."
	}
	return ""
}
