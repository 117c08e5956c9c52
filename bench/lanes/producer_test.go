package lanes_test

import (
	"fmt"
	"iter"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// series makes the candidates of each batch distinct.
var series int

// people returns n new candidates, one at a time: a million do not have to be in memory.
func people(n int) iter.Seq2[input.Candidate, error] {
	series++
	s := series
	return func(yield func(input.Candidate, error) bool) {
		for i := range n {
			c := input.Candidate{
				ID: fmt.Sprintf("c-%d-%d", s, i), FirstName: "Ana", LastName: "Duarte", Email: fmt.Sprintf("ana.%d.%d@example.com", s, i),
				Phones:         []input.Phone{{Number: "+1 425 555 0143", Type: "mobile"}},
				WorkExperience: []input.WorkExperience{{Employer: "Contoso", Title: "Data Engineer", Start: "2021-03"}},
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// enqueue submits n candidates for a job of the customer, as a producer does.
func (r *rig) enqueue(customer string, n int) store.BatchID {
	r.b.Helper()
	receipt, err := r.producer.Enqueue(r.b.Context(), input.Batch{Customer: customer, Target: input.ToJob(job), Candidates: people(n)})
	if err != nil || receipt.Accepted != n {
		r.b.Fatalf("%d of %d accepted, %v", receipt.Accepted, n, err)
	}
	return receipt.Batch
}

// unfinished returns how many exports of a batch have not ended.
func (r *rig) unfinished(id store.BatchID) int {
	r.b.Helper()
	batch, err := r.ledger.Batches.Get(r.b.Context(), id)
	if err != nil {
		r.b.Fatal(err)
	}
	if n := batch.Skipped + batch.Dead + batch.Cancelled; n > 0 {
		r.b.Fatalf("%d exports were not made: %+v", n, batch)
	}
	return batch.Moving()
}

// finished waits for the end of a batch and returns the time since `since`, or false after the
// limit.
func (r *rig) finished(id store.BatchID, since time.Time, limit time.Duration) (time.Duration, bool) {
	r.b.Helper()
	ok := within(limit, func() bool { return r.unfinished(id) == 0 })
	return time.Since(since), ok
}
