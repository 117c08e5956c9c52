package main

import (
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
)

func TestShow(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	jobless, _, ids := w.makeDeadLetters()
	t.Run("a candidate's exports are shown with their state", func(t *testing.T) {
		r := w.call("show", "1234", "c-00000")
		r.wantStatus(t, statusDone)
		r.wantAll(t, "Candidate c-00000 of customer 1234", "Export 1 of 1, to job 999", string(jobless), "Attempt 1", "status 404", "Failed ", "Check the job's system id", "1234:"+ids[0])
		r.wantNone(t, "Quillfeather", "example.com")
	})
	t.Run("a successful one is linked", func(t *testing.T) {
		batch, ids := w.accept("1234", 1709, 100, 1)
		c, err := w.ledger.Claim(t.Context(), store.Ref{Customer: "1234", Export: ids[0]}, store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		end := store.Finish{To: store.Done, Counter: store.CountUpdated, Person: 90017, Workflow: 21018, Job: 1709, Warnings: "linkedin_skipped"}
		if err := w.ledger.Finish(t.Context(), c, end); err != nil {
			t.Fatal(err)
		}
		r := w.call("show", "1234", "c-00100")
		r.wantAll(t, "In iCIMS as person 90017", "workflow 21018 on job 1709", w.origin+"/customers/1234/linkTo/people/90017", "The profile URL was left out", string(batch))
		r = w.call("show", "1234", "c-00100", "--json")
		got := decode[admin.CandidateTimeline](t, r.out)
		if got.Marker == nil || got.Marker.Workflows[1709] != 21018 || len(got.Exports) != 1 || got.Exports[0].Outcome.State != store.Done {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("an unknown candidate is reported", func(t *testing.T) {
		r := w.call("show", "1234", "nobody")
		r.wantStatus(t, statusFailed)
		if !strings.Contains(r.errors, "no exports found for candidate nobody") {
			t.Errorf("got %s", r.errors)
		}
	})
	t.Run("without a keyset it is refused with the remedy", func(t *testing.T) {
		r := call(t, "show", "1234", "c-00000", "--redis-url="+w.url)
		r.wantStatus(t, statusUsage)
		if !strings.Contains(r.errors, "ICIMS_EXPORT_KEYSET") {
			t.Errorf("got %s", r.errors)
		}
	})
}
