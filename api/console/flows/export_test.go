package flows

import (
	"net/http"
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
)

// counts checks the simulator's number of people and of workflows.
func (s *service) counts(people, workflows int) {
	s.t.Helper()
	seen := s.sim.Invariants()
	if seen.People != people || seen.Workflows != workflows || len(seen.Violations()) > 0 {
		s.t.Errorf("iCIMS has %d people and %d workflows, where there should be %d and %d; %v", seen.People, seen.Workflows, people, workflows, seen.Violations())
	}
}

// picks finds the job by a word of its title.
func (b *tab) picks(word, title string) {
	b.t.Helper()
	b.sees("Data Engineer") // the list is read from iCIMS
	b.fill("Search by title, number or location", word)
	b.sees("1 job. Updated")
	b.ticks(title + "…")
}

func TestCandidatesAreExportedOnceAndFailuresRetried(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.connect()
	b := s.login(api.ScopeAdmin)
	b.visit("/customers/" + customer + "/batches")
	b.sees("No batches yet")
	b.audit("batches, none yet")
	b.goes("Export candidates")
	b.picks("recruiter", "Technical Recruiter")
	b.uploads("File", candidatesFile(t))
	b.click("Preview")
	b.sees("Nothing has been sent yet.", "12 to export", "2 refused", "c-101", "c-102")
	b.audit("export, preview")
	s.counts(0, 0)

	s.hold("workflows.create", address(exported-1))
	b.goes("Export")
	b.sees("12 candidates from candidates.csv accepted for job 1709 “Technical Recruiter”, 2 rows refused.", "11 of 12 candidates done")
	b.sees("The export continues if you leave this page.")
	b.lacks("Export complete")
	b.audit("export, under way")
	b.stays(func() {
		s.gate.open()
		b.sees("Export complete", "12 of 12 candidates done")
		b.lacks("if you leave this page")
	})
	b.audit("export, complete")
	s.counts(exported, exported)

	b.exportsAgain(t)
	s.counts(exported, exported)
	b.mendsThoseWhoFail(s)
	s.counts(exported+3, exported+3)
	b.erasesCandidate()
	s.seenByReader()
}

func TestExportFormLinksToObstacles(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.login(api.ScopeAdmin)
	b.visit("/customers/" + customer + "/export")
	b.sees("This customer has no connection. Add one to export candidates.")
	b.audit("export, no connection")
	b.goes("Add connection")
	b.sees("Add connection")
	s.connect()
	if err := s.ledger.Lanes.Pause(t.Context(), customer, store.Pause{By: "Kim", Why: "maintenance", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	b.visit("/customers/" + customer + "/export")
	b.sees("has not been verified since", "the lane is paused by Kim until resumed: maintenance.")
	b.audit("export, kept")
	b.goes("Resume lane")
	b.sees("Resume lane")
}

// exportsAgain exports the same file, and all candidates are skipped.
func (b *tab) exportsAgain(t *testing.T) {
	b.goes("Export more")
	b.picks("1709", "Technical Recruiter")
	b.uploads("File", candidatesFile(t))
	b.click("Preview")
	b.sees("0 to export", "12 skipped", "Skipped candidates")
	b.goes("Export")
	b.sees("Export complete", "12 skipped")
	b.goes("View batch")
	b.sees("Previously exported")
	b.audit("batch, skipped")
	b.turns("Batches")
	b.sees("12 created", "12 skipped")
	b.audit("batches")
}

// mendsThoseWhoFail exports three candidates that iCIMS refuses on a job, finds them among the dead
// letters, and retries them once iCIMS accepts them: one alone, the others together.
func (b *tab) mendsThoseWhoFail(s *service) {
	b.t.Helper()
	s.sim.AddRule(icimstest.Rule{Customer: customer, Route: "workflows.create", Fault: icimstest.StatusBefore, Status: http.StatusForbidden, Times: -1})
	b.turns("Export")
	b.picks("recruiter", "Technical Recruiter")
	b.click("Paste candidates")
	b.fill("Candidates", csv(exported, exported+3))
	b.goes("Export")
	b.sees("Export ended: 3 of 3 failed", "3 dead", "3 exports failed and are kept as dead letters")
	b.audit("batch, dead")
	b.goes("Review and retry")
	b.sees("Next step:", "iCIMS denies access", id(exported))
	b.audit("dead letters")
	b.goes(id(exported))
	b.sees("Timeline", "already exists; a retry continues from there")
	b.audit("dead letter")

	s.sim.ClearRules() // the account got the permission
	b.fill("Reason", "the account may attach candidates to jobs now")
	b.goes("Retry")
	b.sees("Retried with a fresh retry budget", "In iCIMS as person")
	b.audit("candidate, retried")
	b.turns("Dead letters")
	b.goes("Retry 2…")
	b.sees("2 dead letters will be retried.")
	b.audit("dead letters, about to retry")
	b.fill("Reason", "the account may attach candidates to jobs now")
	b.goes("Retry 2 dead letters")
	b.sees("Done. No exports failed again.")
	b.audit("dead letters, retried")
}

// erasesCandidate looks up a candidate and erases it.
func (b *tab) erasesCandidate() {
	b.t.Helper()
	b.turns("Candidates")
	b.audit("candidates")
	b.fill("Candidate ID", id(0))
	b.goes("Look up")
	b.sees("In iCIMS as person", "Export 1 of 2")
	b.audit("candidate")
	b.goes("Erase " + id(0) + "…")
	b.audit("candidate, about to erase")
	b.fill("Reason", "DSR-17")
	b.goes("Erase permanently")
	b.sees("The candidate's data was erased.", "Receipt")
	b.audit("candidate, erased")
	b.goes("Back to candidates")
	b.fill("Candidate ID", id(0))
	b.goes("Look up")
	b.sees("No exports found for " + id(0))
}

// seenByReader checks on all pages that a key with the scope read cannot change anything.
func (s *service) seenByReader() {
	s.t.Helper()
	b := s.login(api.ScopeRead)
	base := "/customers/" + customer
	for _, path := range []string{
		"/", "/connections/" + customer, base + "/jobs", base + "/batches", base + "/candidates?id=" + id(1), base + "/dead-letters", "/lanes", base + "/lane",
	} {
		b.visit(path)
		forms, err := ask[[]string](b, `[...document.querySelectorAll("form[method=post]")].map(f => f.getAttribute("action")).filter(a => a !== "/logout" && a !== "`+base+`/candidates")`)
		if err != nil || len(forms) > 0 {
			s.t.Errorf("%s can be changed by a key that may only read: %q, %v", path, forms, err)
		}
		for _, name := range []string{"Export", "Export candidates", "Verify now", "Edit", "Remove…", "Add connection", "Cancel remaining…", "Erase " + id(1) + "…", "Pause lane…"} {
			if b.has(name) {
				s.t.Errorf("%s has %q for a key that may only read", path, name)
			}
		}
	}
	b.visit(base + "/export")
	b.sees("This requires the export scope")
}
