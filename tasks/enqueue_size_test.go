package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// breaksOff yields n candidates and then an error.
func breaksOff(n int) iter.Seq2[input.Candidate, error] {
	return func(yield func(input.Candidate, error) bool) {
		for c, err := range many(n) {
			if !yield(c, err) {
				return
			}
		}
		yield(input.Candidate{}, errBroken)
	}
}

var errBroken = errors.New("connection reset")

// The size of the whole batch selects its queue, even if it is sent in chunks or its input ends
// early.
func TestBatchSizeSelectsTheQueue(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for size, queue := range map[int]string{1: express, 25: express, 26: normal, 1_000: normal, 1_001: large, 1_600: large} {
		for _, whole := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d, whole %t", size, whole), func(t *testing.T) {
				p := newProducer(t, server.Client(t), tasks.WithChunk(100))
				if err := p.redis.FlushDB(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
				b := input.Batch{Customer: customer, Candidates: many(size)}
				if !whole {
					b.Candidates = breaksOff(size)
				}
				r, err := p.Enqueue(t.Context(), b)
				if whole != (err == nil) || !whole && !errors.Is(err, errBroken) || r.Accepted != size {
					t.Fatalf("%+v, %v", r, err)
				}
				for _, name := range tasks.QueueNames(customer) {
					want := 0
					if name == queue {
						want = size
					}
					if n := p.queued(name); n != want {
						t.Errorf("%d tasks in %s, want %d", n, name, want)
					}
				}
			})
		}
	}
}

// Exports of an interrupted submission stay in their queue if the batch is larger when submitted
// again: a task ID is unique only within one queue.
func TestResubmittedBatchOfOtherSizeKeepsOneTaskPerExport(t *testing.T) {
	t.Parallel()
	p := newProducer(t, redistest.Start(t).Client(t))
	if _, err := p.Enqueue(t.Context(), input.Batch{Customer: customer, IdempotencyKey: "k", Candidates: breaksOff(20)}); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	r := p.send(input.Batch{IdempotencyKey: "k", Candidates: many(60)})
	if r.Accepted != 60 || r.Again != 20 || p.queued(express) != 20 || p.queued(normal) != 40 {
		t.Errorf("%+v, %d express, %d normal", r, p.queued(express), p.queued(normal))
	}
}

// An export that was moved to the express queue gets no other task when its batch is submitted
// again.
func TestResubmittedBatchFindsMovedTasks(t *testing.T) {
	t.Parallel()
	p := newProducer(t, redistest.Start(t).Client(t))
	first := p.send(input.Batch{IdempotencyKey: "k", Candidates: many(30)})
	moved := store.Ref{Customer: customer, Export: p.ledger.Keys().ExportID(string(first.Batch), "c-000003")}
	if _, err := tasks.NewQueues(p.redis, 0).MoveToExpress(t.Context(), tasks.Export{Ref: moved, Queue: store.NormalQueue}); err != nil {
		t.Fatal(err)
	}
	p.send(input.Batch{IdempotencyKey: "k", Candidates: many(30)})
	if p.queued(express) != 1 || p.queued(normal) != 29 {
		t.Errorf("%d express, %d normal", p.queued(express), p.queued(normal))
	}
}

// A task contains customer, batch, row, candidate and export, and nothing else.
func TestTaskContainsOnlyAReference(t *testing.T) {
	t.Parallel()
	p := newProducer(t, redistest.Start(t).Client(t))
	r := p.send(input.Batch{Candidates: input.Candidates(candidate(""), candidate("c-1"), candidate("c-2"))})
	list, err := p.inspector.ListPendingTasks(express)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	for _, task := range list {
		ref, err := tasks.ParseTask(asynq.NewTask(task.Type, task.Payload))
		if err != nil || task.ID != customer+":"+ref.Export {
			t.Errorf("task %s: %v, %v", task.ID, ref, err)
		}
		candidate, row := "c-1", 1
		if ref.Export != p.ledger.Keys().ExportID(string(r.Batch), "c-1") {
			candidate, row = "c-2", 2
		}
		want := fmt.Sprintf(`{"customer":"1234","batch":"%s","row":%d,"candidate":"%s","export":"%s"}`, r.Batch, row, candidate, ref.Export)
		if string(task.Payload) != want {
			t.Errorf("payload %s, want %s", task.Payload, want)
		}
		if task.Retention != tasks.DefaultRetention {
			t.Errorf("kept for %s", task.Retention)
		}
	}
}

// failing lets the first n tasks into asynq's queues, then fails until it is reset.
type failing struct {
	mu   sync.Mutex
	left int
}

func (*failing) DialHook(next redis.DialHook) redis.DialHook { return next }
func (*failing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (f *failing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.HasPrefix(cmd.Name(), "eval") && strings.HasPrefix(fmt.Sprint(cmd.Args()[3]), "asynq:") {
			f.mu.Lock()
			f.left--
			fails := f.left < 0
			f.mu.Unlock()
			if fails {
				cmd.SetErr(errBroken)
				return errBroken
			}
		}
		return next(ctx, cmd)
	}
}

func TestRedisFailsWhileTasksAreEnqueued(t *testing.T) {
	t.Parallel()
	client, fails := redistest.Start(t).Client(t), &failing{left: 250}
	p := newProducer(t, client, tasks.WithChunk(100))
	// This loads asynq's script.
	if _, err := p.Enqueue(t.Context(), input.Batch{Customer: "77", Candidates: many(1)}); err != nil {
		t.Fatal(err)
	}
	client.AddHook(fails)
	r, err := p.Enqueue(t.Context(), input.Batch{Customer: customer, IdempotencyKey: "k", Candidates: many(500)})
	fails.mu.Lock()
	fails.left = 10_000 // stop failing
	fails.mu.Unlock()
	b, readErr := p.ledger.Batches.Get(t.Context(), r.Batch)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if err == nil || !strings.Contains(err.Error(), errBroken.Error()) || r.Accepted != b.Accepted || r.Accepted < 250 || r.Accepted > 400 {
		t.Errorf("%v: the receipt counts %d accepted, the batch %d", err, r.Accepted, b.Accepted)
	}
	if n := p.queued(normal); n != 250 {
		t.Errorf("%d tasks, want those before the failure", n)
	}
	if announced, err := p.ledger.Lanes.Announced(t.Context()); err != nil || len(announced) != 2 {
		t.Errorf("enqueued tasks are not announced: %v, %v", announced, err)
	}

	again := p.send(input.Batch{IdempotencyKey: "k", Candidates: many(500)})
	if again.Batch != r.Batch || again.Accepted != 500 || again.Again != r.Accepted || p.queued(normal) != 500 {
		t.Errorf("sent again: %+v, %d tasks", again, p.queued(normal))
	}
}
