package lanes_test

import (
	"fmt"
	"iter"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// series tells the candidates of one batch from those of all others.
var series int

// people makes n new candidates, one at a time: a million of them need not be in
// memory at once.
func people(n int) iter.Seq2[tasks.Candidate, error] {
	series++
	s := series
	return func(yield func(tasks.Candidate, error) bool) {
		for i := range n {
			c := tasks.Candidate{
				ID: fmt.Sprintf("c-%d-%d", s, i), FirstName: "Ana", LastName: "Duarte", Email: fmt.Sprintf("ana.%d.%d@example.com", s, i),
				Phones:         []tasks.Phone{{Number: "+1 425 555 0143", Type: "mobile"}},
				WorkExperience: []tasks.WorkExperience{{Employer: "Contoso", Title: "Data Engineer", Start: "2021-03"}},
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// enqueue hands n candidates to a job of the customer over, as a producer does.
func (r *rig) enqueue(customer string, n int) store.BatchID {
	r.b.Helper()
	receipt, err := r.producer.Enqueue(r.b.Context(), tasks.Batch{Customer: customer, Target: tasks.ToJob(job), Candidates: people(n)})
	if err != nil || receipt.Accepted != n {
		r.b.Fatalf("%d of %d accepted, %v", receipt.Accepted, n, err)
	}
	return receipt.Batch
}

// moving counts what has not ended of a batch.
func (r *rig) moving(id store.BatchID) int {
	r.b.Helper()
	batch, err := r.ledger.Batch(r.b.Context(), id)
	if err != nil {
		r.b.Fatal(err)
	}
	if n := batch.Skipped + batch.Dead + batch.Cancelled; n > 0 {
		r.b.Fatalf("%d exports were not made: %+v", n, batch)
	}
	return batch.Moving()
}

// finished waits for the end of a batch, and returns how long that took since a
// time. It is false where the limit passed before.
func (r *rig) finished(id store.BatchID, since time.Time, limit time.Duration) (time.Duration, bool) {
	r.b.Helper()
	ok := within(limit, func() bool { return r.moving(id) == 0 })
	return time.Since(since), ok
}
