package main

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

func TestErase(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	batch, ids := w.accept("1234", 1709, 0, 4)
	w.makeDead("1234", "job_not_found", testrig.NoJob, ids[1])
	c, err := w.ledger.Claim(t.Context(), store.Ref{Customer: "1234", Export: ids[2]}, store.ClaimOptions{Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}

	w.call("erase", "1234", "c-00000").wantStatus(t, statusUsage)
	w.call("erase", "acme", "c-00000", "--why=x").wantStatus(t, statusUsage)
	r := w.call("erase", "1234", "nobody", "--why=x")
	r.wantStatus(t, statusDone)
	r.wantAll(t, "No data of this candidate was found.")

	r = w.call("erase", "1234", "c-00000", "--why=asked to be forgotten", "--who=ana")
	r.wantStatus(t, statusDone)
	r.wantAll(t, "Erased: 1 export canceled.", "Reference ")
	r = w.call("erase", "1234", "c-00001", "--why=x", "--json")
	r.wantStatus(t, statusDone)
	if got := decode[store.ErasureReceipt](t, r.out); !got.Complete || got.DeadLetters != 1 || got.Reference == "" {
		t.Errorf("%+v", got)
	}
	r = w.call("erase", "1234", "c-00002", "--why=x", "--patience=0s")
	r.wantStatus(t, statusFailed)
	r.wantAll(t, "Left: export "+ids[2]+" of batch "+string(batch)+" is claimed.")
	if err := w.ledger.Finish(t.Context(), c, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17}); err != nil {
		t.Fatal(err)
	}
	r = w.call("erase", "1234", "c-00002", "--why=x")
	r.wantStatus(t, statusDone)
	r.wantAll(t, "1 ended export anonymized, the success marker removed", "/linkTo/people/17")

	w.call("show", "1234", "c-00002").wantStatus(t, statusFailed)
	if b, err := w.ledger.Batches.Get(t.Context(), batch); err != nil || b.Accepted != 4 || b.Cancelled != 2 || b.Created != 1 || b.Moving() != 1 {
		t.Errorf("%+v, %v", b, err)
	}
	w.call("audit").wantStatus(t, statusDone)
}
