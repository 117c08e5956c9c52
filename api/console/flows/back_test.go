package flows

import (
	"testing"

	"github.com/seekout/icims-export/api"
)

func TestGoingBackAfterAnExportKeepsTheJob(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.connect()
	b := s.login(api.ScopeExport, customer)
	b.turns("Export")
	b.picks("recruiter", "Technical Recruiter")
	chosen := b.job()
	if chosen == "" {
		t.Fatal("no job is chosen")
	}
	b.uploads("File", candidatesFile(t))
	b.goes("Export")
	b.sees("12 candidates from candidates.csv accepted")
	b.leaves(func() { _, _ = ask[bool](b, `history.back() || true`) }) // the page may be gone before the response
	b.sees("1. Destination")
	if now := b.job(); now != "" && now != chosen {
		t.Errorf("job %s was chosen, and %s is after going back", chosen, now)
	}
}

// job returns the job that the export form would send; "" for none.
func (b *tab) job() string {
	b.t.Helper()
	job, err := ask[string](b, `document.querySelector("#export input[name=job]:checked")?.value ?? ""`)
	if err != nil {
		b.t.Fatal(err)
	}
	return job
}
