package bench_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

// BenchmarkEnqueue compares handing candidates to the producer's client with
// enqueueing them one by one as asynq tasks.
func BenchmarkEnqueue(b *testing.B) {
	server := redistest.Start(b)
	learnServer(b, server.Client(b))
	for b.Loop() {
		plain, ours := compareEnqueue(b, server, *rounds, *enqueued, 0)
		note("candidates enqueued/s, asynq one by one", plain, "%.0f", "")
		note("candidates enqueued/s, as a batch", ours, "%.0f", "")
		judge(b, "batch : one by one", ours.per(plain), goal{4, true, "", "%.1f"}, "ratio")

		const shorter = 5 // one by one takes its time here
		plain, ours = compareEnqueue(b, server, few, *enqueued/shorter, away)
		judge(b, "batch : one by one, Redis 0.5 ms away", ours.per(plain), goal{4, true, "", "%.1f"}, "away-ratio")
	}
}

// few is how many runs suffice where waiting outweighs noise.
const few = 3

// compareEnqueue returns candidates a second.
func compareEnqueue(b *testing.B, server *redistest.Server, rounds, n int, longer time.Duration) (plain, ours sample) {
	b.Helper()
	for i := range rounds + 1 {
		candidates := people(i, n)
		one := enqueueOneByOne(b, server, candidates, longer)
		batch := enqueueBatch(b, server, candidates, longer)
		if i > 0 { // the first warms up caches and heaps
			plain, ours = append(plain, float64(n)/one.Seconds()), append(ours, float64(n)/batch.Seconds())
		}
	}
	return plain, ours
}

func enqueueOneByOne(b *testing.B, server *redistest.Server, candidates []tasks.Candidate, longer time.Duration) time.Duration {
	b.Helper()
	emptied(b, server)
	client, _ := countedClient(b, server, longer)
	producer := asynq.NewClientFromRedisClient(client)
	start := time.Now()
	for _, c := range candidates {
		data, err := json.Marshal(c)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := producer.EnqueueContext(b.Context(), asynq.NewTask(bareType, data)); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

func enqueueBatch(b *testing.B, server *redistest.Server, candidates []tasks.Candidate, longer time.Duration) time.Duration {
	b.Helper()
	emptied(b, server)
	client, _ := countedClient(b, server, longer)
	keys, err := store.NewKeyset()
	if err != nil {
		b.Fatal(err)
	}
	producer := tasks.NewClient(client, store.NewLedger(client, keys))
	start := time.Now()
	receipt, err := producer.Enqueue(b.Context(), tasks.Batch{
		Customer: customer, Target: tasks.ToJob(job), Candidates: tasks.Candidates(candidates...),
	})
	if err != nil || receipt.Accepted != len(candidates) {
		b.Fatalf("%d of %d accepted, %v", receipt.Accepted, len(candidates), err)
	}
	return time.Since(start)
}
