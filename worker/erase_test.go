package worker_test

import (
	"sync"
	"testing"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks/input"
)

// Candidates are erased repeatedly while iCIMS loses responses and its search lags, and are sent
// again meanwhile. No candidate may become two people or get two workflows.
func TestErasingWhileExportsRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{settings: shortWaits, sim: icimstest.Config{Seed: 5, Faults: icimstest.Faults{
		Error500After: 0.1, ResetAfter: 0.1, TimeoutAfter: 0.02, Error503: 0.02, SearchLag: 100 * time.Millisecond,
	}}})
	crowd := people(30)
	options := store.EraseOptions{Who: "ana", Why: "a test", Settle: 500 * time.Millisecond}
	service := admin.New(admin.Config{Redis: r.redis, Ledger: r.ledger})
	erase := func() (left int, erased store.ErasureReceipt) {
		for _, c := range crowd {
			receipt, err := service.Erase(t.Context(), customer, c.ID, options)
			if err != nil {
				t.Fatal(err)
			}
			if !receipt.Complete {
				left++
			}
			erased = erased.With(receipt)
		}
		return left, erased
	}
	var total store.ErasureReceipt
	kept := 0
	for round := range 3 {
		// The emails also belong to other candidates, who are not erased.
		twins := people(30)
		for i := range twins {
			twins[i].ID = "twin" + twins[i].ID[1:]
		}
		var sending sync.WaitGroup
		batches := make([]store.BatchID, 3)
		sending.Go(func() { batches[0] = r.send(input.ToJob(job), input.Options{}, crowd...) })
		sending.Go(func() {
			batches[1] = r.send(input.ToJob(job), input.Options{IncludePreviouslyExported: true}, twins...)
		})
		sending.Go(func() {
			batches[2] = r.send(input.ToJob(job), input.Options{IncludePreviouslyExported: round%2 == 0}, crowd...)
		})
		sending.Wait()
		r.eventually("the batches have ended while candidates were erased", func() bool {
			left, erased := erase()
			kept += left
			total = total.With(erased)
			live, err := r.ledger.Recovery.Live(t.Context(), customer)
			return err == nil && live == 0
		})
	}
	r.eventually("all are erased", func() bool { left, _ := erase(); return left == 0 })
	t.Logf("%d exports were cancelled, %d erased at their end, and %d times one in work was left alone", total.Cancelled, total.Ended, kept)
	if total.Cancelled == 0 || total.Ended == 0 || kept == 0 {
		t.Error("not erased at all stages")
	}
	dump := redistest.Dump(t, r.redis)
	for _, c := range crowd {
		for _, key := range dump.Holding(c.ID) {
			t.Errorf("%s is left in %s", c.ID, key)
		}
	}
	audits, err := r.ledger.Checks.Run(t.Context(), []string{customer}, store.CheckOptions{Late: time.Minute})
	if err != nil || len(audits[0].Violations) > 0 {
		t.Errorf("audit: %+v, %v", audits, err)
	}
	r.clean()
}
