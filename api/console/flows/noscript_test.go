package flows

import (
	"net/http"
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/icims/icimstest"
)

// looks clicks the reload link of a page without scripts until it shows the text.
func (b *tab) looks(link, text string) {
	b.t.Helper()
	end := time.Now().Add(patience)
	for {
		shows, err := ask[bool](b, `tidy(document.body?.innerText).includes(`+quote(text)+`)`)
		switch {
		case err == nil && shows:
			return
		case time.Now().After(end):
			b.t.Fatalf("waited in vain for %q\nat %s\nthe page: %s", text, b.at(), b.text())
		case err == nil:
			b.goes(link)
		}
	}
}

func TestEachFlowWorksWithoutJavaScript(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := open(t, s.url)
	b.withoutScript()
	b.logIn(s.key(api.ScopeAdmin))
	b.entersConnection(s, "guessed")
	b.goes("Verify")
	b.looks("Refresh", "Edit connection")
	b.sees("iCIMS refuses the user name or password.")
	b.correctsPassword()
	b.goes("Verify")
	b.looks("Refresh", "Connected")
	b.goes("View connection")
	b.goes("Jobs")
	b.looks("Refresh", "Data Engineer")

	b.turns("Export")
	b.ticks("Technical Recruiter…")
	b.uploads("File", candidatesFile(t))
	b.goes("Preview")
	b.sees("choose the file again", "12 to export", "2 refused")
	b.uploads("File", candidatesFile(t))
	b.goes("Export")
	b.sees("12 candidates from candidates.csv accepted for job 1709 “Technical Recruiter”, 2 rows refused.")
	b.looks("Refresh", "Export complete")
	s.counts(1+exported, 1+exported) // and the test candidate

	s.sim.AddRule(icimstest.Rule{Customer: customer, Route: "workflows.create", Fault: icimstest.StatusBefore, Status: http.StatusForbidden, Times: -1})
	b.turns("Export")
	b.ticks("Technical Recruiter…")
	b.click("Paste candidates")
	b.fill("Candidates", csv(exported, exported+1))
	b.goes("Export")
	b.looks("Refresh", "1 export failed and is kept as a dead letter.")
	b.goes("Review and retry")
	b.goes(id(exported))
	s.sim.ClearRules()
	b.fill("Reason", "the account may attach candidates to jobs now")
	b.goes("Retry")
	b.looks("Refresh", "In iCIMS as person")
	s.counts(2+exported, 2+exported)

	b.turns("Lanes")
	b.goes("Show all…")
	b.goes(customer)
	b.click("Pause lane…")
	b.fill("Reason", "maintenance")
	b.goes("Pause lane")
	s.paused(true)
	b.fill("Reason", "it is over")
	b.goes("Resume lane")
	s.paused(false)
	b.goes("Log out")
	b.sees("You are logged out.")
}
