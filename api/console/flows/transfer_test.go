package flows

import (
	"testing"

	"github.com/seekout/icims-export/api"
)

func TestAnExportToTheWrongJobIsSentToTheRightOne(t *testing.T) {
	s := newService(t)
	s.connect()
	b := s.login(api.ScopeAdmin)
	b.visit("/customers/" + customer + "/export?job=99")
	b.click("Paste candidates instead of a file")
	b.fill("Candidates", csv(0, 3))
	b.goes("Export")
	b.sees("Export ended: 3 of 3 are dead")
	b.turns("Batches")
	b.sees("job 99", "3 dead")
	b.audit("batches, wrong job")
	b.turns("Integrations")
	b.sees("3 dead")
	b.audit("integrations, some dead")
	b.goes("3 dead")
	b.sees("The job does not exist or cannot be seen", "A retry alone does not help", "Retry all 3…")
	b.audit("dead letters, wrong job")
	b.goes(id(0))
	b.sees("job 99")
	b.audit("dead letter, wrong job")
	b.turns("Dead letters")
	b.goes("To another job…")
	b.sees("3 dead letters would end, and their candidates go to another job.")
	b.audit("dead letters, about to send to another job")
	b.picks("recruiter", "Technical Recruiter")
	b.fill("Why", "99 is not the job's number")
	b.goes("Send 3 candidates to this job")
	b.sees("Export to job 1709 “Technical Recruiter", "The candidates go on here", "Export complete", "3 created")
	b.audit("batch, sent on")
	b.turns("Batches")
	b.sees("job 1709 “Technical Recruiter", "3 created", "3 cancelled")
	b.audit("batches, sent on")
	b.visit("/customers/" + customer + "/candidates?id=" + id(0))
	b.sees("goes on as an export of its own", "sent the candidate to another job")
	b.audit("candidate, sent on")
}
