package flows

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

func TestWaitingExportSaysWhyAndIsCanceled(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.connect()
	if err := s.ledger.Lanes.Pause(t.Context(), customer, store.Pause{By: "Kim", At: time.Now(), Why: "their iCIMS is being maintained"}); err != nil {
		t.Fatal(err)
	}
	b := s.login(api.ScopeExport, customer)
	b.turns("Export")
	b.ticks("Prospects…")
	b.click("Paste candidates")
	b.fill("Candidates", csv(0, exported))
	b.click("Preview")
	b.sees("12 to export", "The export would wait.", "View lane")
	b.goes("Export")
	b.sees("Waiting", "0 of 12 candidates done", "their iCIMS is being maintained")
	b.audit("batch, waiting")
	batch := b.at()
	b.turns("Batches")
	b.sees("Exports are waiting.", "their iCIMS is being maintained", "waiting", "0 of 12")
	b.audit("batches, waiting")
	b.turns("Lanes")
	b.sees("paused", "their iCIMS is being maintained")
	b.lacks("Pause lane", "Resume lane")
	b.audit("lanes, one paused")
	b.visit(batch)
	b.goes("Cancel remaining…")
	b.sees("12 waiting exports will be canceled")
	b.audit("batch, about to cancel")
	b.fill("Reason", "sent to the wrong customer")
	b.goes("Cancel 12 exports")
	b.sees("12 canceled")
	b.audit("batch, canceled")
	s.counts(0, 0)
	if n := s.sim.CallCounts()["people.create"]; n != 0 {
		t.Errorf("%d people were sent", n)
	}
}
