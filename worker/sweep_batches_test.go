package worker_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// If a producer stops in the middle, its batch still ends, and the worker logs it.
func TestTheSweepClosesAbandonedBatches(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true, settings: func(s *worker.Settings) { s.AbandonedAfter = time.Nanosecond }})
	goOn, ended := make(chan struct{}), make(chan tasks.Receipt, 1)
	// The size of a batch is known after 1,000 rows.
	const before = 1_001
	candidates := people(before + 1)
	batch := input.Batch{Customer: customer, Target: input.Prospects, IdempotencyKey: "k", Candidates: func(yield func(input.Candidate, error) bool) {
		for i, c := range candidates {
			if i == before {
				<-goOn // hangs or is killed
			}
			if !yield(c, nil) {
				return
			}
		}
	}}
	go func() {
		receipt, err := tasks.NewClient(r.redis, r.ledger, tasks.WithChunk(500)).Enqueue(t.Context(), batch)
		if err != nil {
			t.Error(err)
		}
		ended <- receipt
	}()
	var id store.BatchID
	r.eventually("the first rows are accepted", func() bool {
		open, err := r.ledger.Batches.AllOpen(t.Context(), customer)
		if err != nil {
			t.Fatal(err)
		}
		if len(open) == 1 && open[0].Accepted == before {
			id = open[0].ID
		}
		return id != ""
	})
	// A server that was killed a day ago.
	killed := redis.Z{Score: float64(time.Now().Add(-24 * time.Hour).Unix()), Member: "asynq:servers:{host:1:killed}"}
	r.must(r.redis.ZAdd(t.Context(), "asynq:servers", killed).Err())
	r.start()
	r.eventually("the killed server is forgotten", func() bool {
		return r.redis.ZScore(t.Context(), "asynq:servers", "asynq:servers:{host:1:killed}").Err() != nil
	})
	if b := r.finished(id); !b.Abandoned || b.Created != before {
		t.Errorf("%+v", b)
	}
	r.eventually("the log says so", func() bool {
		return r.logs.Count("batch that its producer never finished") == 1
	})

	// The producer was only slow.
	close(goOn)
	receipt := <-ended
	if receipt.Batch != id || receipt.Accepted != before+1 {
		t.Errorf("%+v", receipt)
	}
	r.eventually("the remaining exports end too", func() bool {
		b, err := r.ledger.Batches.Get(t.Context(), id)
		return err == nil && b.Created == before+1 && !b.Abandoned && !b.Ended.IsZero()
	})
	r.clean()
}
