package bench_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// BenchmarkEnqueue compares the producer's client with enqueueing asynq tasks one by one.
func BenchmarkEnqueue(b *testing.B) {
	server := redistest.Start(b)
	learnServer(b, server.Client(b))
	for b.Loop() {
		plain, ours := compareEnqueue(b, server, *rounds, *enqueued, 0)
		results.Note("candidates enqueued/s, asynq one by one", plain.perSecond, "%.0f", "")
		results.Note("candidates enqueued/s, as a batch", ours.perSecond, "%.0f", "")
		results.Note("batch : one by one", ours.perSecond.Per(plain.perSecond), "%.1f", "")
		results.Note("  CPU per candidate with Redis's, one by one", plain.cpu, "%.0f", " µs")
		results.Note("  CPU per candidate with Redis's, as a batch", ours.cpu, "%.0f", " µs")

		const shorter = 5 // enqueueing one by one is slow here
		plain, ours = compareEnqueue(b, server, few, *enqueued/shorter, away)
		judge(b, "batch : one by one, Redis 0.5 ms away", ours.perSecond.Per(plain.perSecond), figures.AtLeast(4, "", "%.1f"), "away-ratio")
	}
}

// few is the number of runs if waiting outweighs noise.
const few = 3

// enqueueing is the result of one side.
type enqueueing struct {
	perSecond figures.Sample
	cpu       figures.Sample // microseconds per candidate, with Redis's
}

// compareEnqueue enqueues n candidates on both sides, in turns.
func compareEnqueue(b *testing.B, server *redistest.Server, rounds, n int, longer time.Duration) (plain, ours enqueueing) {
	b.Helper()
	watch := server.Client(b)
	turn := func(e *enqueueing, enqueue func() time.Duration, count bool) {
		spent := cpuOf(b, watch, nil)
		took := enqueue()
		if spent = cpuOf(b, watch, nil).since(spent); count {
			e.perSecond = append(e.perSecond, float64(n)/took.Seconds())
			e.cpu = append(e.cpu, (spent.self+spent.redis)/float64(n)*float64(time.Second/time.Microsecond))
		}
	}
	for i := range rounds + 1 {
		candidates, warm := people(i, n), i > 0 // the first run warms up caches and heaps
		turn(&plain, func() time.Duration { return enqueueOneByOne(b, server, candidates, longer) }, warm)
		turn(&ours, func() time.Duration { return enqueueBatch(b, server, candidates, longer) }, warm)
	}
	return plain, ours
}

func enqueueOneByOne(b *testing.B, server *redistest.Server, candidates []input.Candidate, longer time.Duration) time.Duration {
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

func enqueueBatch(b *testing.B, server *redistest.Server, candidates []input.Candidate, longer time.Duration) time.Duration {
	b.Helper()
	emptied(b, server)
	client, _ := countedClient(b, server, longer)
	keys, err := store.NewKeyset()
	if err != nil {
		b.Fatal(err)
	}
	producer := tasks.NewClient(client, store.NewLedger(client, keys))
	start := time.Now()
	receipt, err := producer.Enqueue(b.Context(), input.Batch{
		Customer: customer, Target: input.ToJob(job), Candidates: input.Candidates(candidates...),
	})
	if err != nil || receipt.Accepted != len(candidates) {
		b.Fatalf("%d of %d accepted, %v", receipt.Accepted, len(candidates), err)
	}
	return time.Since(start)
}
