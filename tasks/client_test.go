package tasks_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

const customer = "1234"

// The queues of the customer.
var express, normal, large = tasks.QueueName(customer, store.ExpressQueue), tasks.QueueName(customer, store.NormalQueue), tasks.QueueName(customer, store.LargeQueue)

type producer struct {
	*tasks.Client
	t         *testing.T
	redis     redis.UniversalClient
	ledger    *store.Ledger
	inspector *asynq.Inspector
}

func newProducer(t *testing.T, client redis.UniversalClient, options ...tasks.ClientOption) *producer {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ledger := store.NewLedger(client, keys)
	return &producer{tasks.NewClient(client, ledger, options...), t, client, ledger, asynq.NewInspectorFromRedisClient(client)}
}

func (p *producer) send(b input.Batch) tasks.Receipt {
	p.t.Helper()
	b.Customer = customer
	r, err := p.Enqueue(p.t.Context(), b)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// queued counts the tasks in a queue; 0 if it does not exist.
func (p *producer) queued(queue string) int {
	p.t.Helper()
	return infoOf(p.t, p.inspector, queue).Size
}

// infoOf returns asynq's information about a queue; empty if it does not exist.
func infoOf(t *testing.T, inspector *asynq.Inspector, queue string) *asynq.QueueInfo {
	t.Helper()
	all, err := inspector.Queues()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(all, queue) {
		return &asynq.QueueInfo{}
	}
	info, err := inspector.GetQueueInfo(queue)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func candidate(id string) input.Candidate {
	return input.Candidate{ID: id, FirstName: "Ana", LastName: "Duarte", Email: id + "@example.com"}
}

func many(n int) iter.Seq2[input.Candidate, error] {
	return func(yield func(input.Candidate, error) bool) {
		for i := range n {
			if !yield(candidate(fmt.Sprintf("c-%06d", i)), nil) {
				return
			}
		}
	}
}

func TestEnqueue(t *testing.T) {
	t.Parallel()

	t.Run("each candidate gets a record and a task, on every kind of Redis", func(t *testing.T) {
		t.Parallel()
		redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
			p := newProducer(t, client, tasks.WithChunk(100))
			r := p.send(input.Batch{Target: input.ToJob(7), Candidates: many(250)})
			live, err := p.ledger.Recovery.Live(t.Context(), customer)
			if r.Accepted != 250 || r.Again != 0 || p.queued(normal) != 250 || live != 250 || err != nil {
				t.Errorf("receipt %+v, %d tasks, %d live, %v", r, p.queued(normal), live, err)
			}
			announced, err := p.ledger.Lanes.Announced(t.Context())
			if err != nil || len(announced) != 1 {
				t.Errorf("announced %v, %v", announced, err)
			}
		})
	})

	t.Run("invalid rows are refused with row, field and remedy, and the rest is accepted", func(t *testing.T) {
		t.Parallel()
		p := newProducer(t, redistest.Start(t).Client(t))
		bad := candidate("c-2")
		bad.Email = "Ana Duarte <ana@example.com>"
		rows := func(yield func(input.Candidate, error) bool) {
			_ = yield(candidate("c-1"), nil) && yield(bad, nil) &&
				yield(input.Candidate{}, &input.RowError{Line: 9, Problems: []input.Problem{{Code: "json_broken"}}}) &&
				yield(candidate("c-1"), nil) && yield(candidate("c-3"), nil)
		}
		r := p.send(input.Batch{Candidates: rows})
		if r.Accepted != 2 || len(r.Refused) != 3 {
			t.Fatalf("receipt %+v", r)
		}
		if f := r.Refused[0]; f.Row != 2 || f.Candidate != "c-2" || f.Problems[0].Field != "email" || f.Problems[0].Remedy == "" {
			t.Errorf("bad address: %+v", f)
		}
		if f := r.Refused[1]; f.Row != 3 || f.Line != 9 {
			t.Errorf("broken row: %+v", f)
		}
		if f := r.Refused[2]; f.Row != 4 || f.Problems[0].Code != "id_duplicate" || !strings.Contains(f.Problems[0].Message, "row 1") {
			t.Errorf("double: %+v", f)
		}
		if text := fmt.Sprintf("%+v", r.Refused); strings.Contains(text, "ana@") || strings.Contains(text, "Duarte") {
			t.Errorf("the receipt repeats refused values: %s", text)
		}
		if b, err := p.ledger.Batches.Get(t.Context(), r.Batch); err != nil || b.Refused != 3 || b.Accepted != 2 {
			t.Errorf("batch %+v, %v", b, err)
		}
	})

	t.Run("a receipt tells of so many refusals and warnings, and counts the others", func(t *testing.T) {
		t.Parallel()
		p := newProducer(t, redistest.Start(t).Client(t))
		var lines strings.Builder
		for i := range 40 {
			fmt.Fprintf(&lines, "{\"id\":\"c-%d\",\"first_name\":\"Ana\",\"last_name\":\"Duarte\",\"email\":\"c@example.com\",\"hobby%d\":\"x\"}\nnot JSON\n", i, i)
		}
		r := p.send(input.Batch{IdempotencyKey: "k", Candidates: input.ReadNDJSON(strings.NewReader(lines.String())), ListAtMost: 3})
		if len(r.Refused) != 3 || r.RefusedRows() != 40 || len(r.Warnings) != 3 || r.MoreWarned != 37 || r.Accepted != 40 || r.Known {
			t.Errorf("%d refused and %d more, %d warnings and %d more, %d accepted, known %v", len(r.Refused), r.MoreRefused, len(r.Warnings), r.MoreWarned, r.Accepted, r.Known)
		}
		if b, err := p.ledger.Batches.Get(t.Context(), r.Batch); err != nil || b.Refused != 40 {
			t.Errorf("the batch counts %d refused, %v", b.Refused, err)
		}
		again := p.send(input.Batch{IdempotencyKey: "k", Candidates: input.ReadNDJSON(strings.NewReader(lines.String())), ListAtMost: 3})
		if !again.Known || again.Again != 40 {
			t.Errorf("the second sending does not know the batch: %+v", again)
		}
	})

	t.Run("submitted twice with one key, it is one batch, and the second submission repairs the first", func(t *testing.T) {
		t.Parallel()
		p := newProducer(t, redistest.Start(t).Client(t))
		first := p.send(input.Batch{IdempotencyKey: "k", Candidates: many(100)})
		if _, err := p.inspector.DeleteAllPendingTasks(normal); err != nil {
			t.Fatal(err)
		}
		second := p.send(input.Batch{IdempotencyKey: "k", Candidates: many(100)})
		if second.Batch != first.Batch || second.Accepted != 100 || second.Again != 100 {
			t.Errorf("first %+v, second %+v", first, second)
		}
		if n := p.queued(normal); n != 100 {
			t.Errorf("%d tasks", n)
		}
		other := p.send(input.Batch{Candidates: many(1)})
		if other.Batch == first.Batch {
			t.Error("a batch without a key is another batch")
		}
	})

	t.Run("a key used with another target is refused", func(t *testing.T) {
		t.Parallel()
		p := newProducer(t, redistest.Start(t).Client(t))
		p.send(input.Batch{IdempotencyKey: "k", Candidates: many(1)})
		_, err := p.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.ToJob(7), IdempotencyKey: "k", Candidates: many(1)})
		if !errors.Is(err, store.ErrBatchConflict) {
			t.Errorf("error %v", err)
		}
	})

	t.Run("a batch canceled during its submission accepts no more", func(t *testing.T) {
		t.Parallel()
		p := newProducer(t, redistest.Start(t).Client(t), tasks.WithChunk(10))
		batch := store.BatchID(p.ledger.Keys().BatchID(customer, "k"))
		send := func(cancelAt int) (tasks.Receipt, error) {
			n := 0
			return p.Enqueue(t.Context(), input.Batch{Customer: customer, IdempotencyKey: "k", Candidates: func(yield func(input.Candidate, error) bool) {
				// Up to 1,000 rows are read before the first is written.
				for c, err := range many(1_100) {
					if n++; n == cancelAt {
						if _, err := p.ledger.Cancel(t.Context(), batch, store.CancelOptions{}); err != nil {
							t.Error(err)
						}
					}
					if !yield(c, err) {
						return
					}
				}
			}})
		}
		for _, submission := range []string{"first", "again"} {
			r, err := send(map[string]int{"first": 1_050}[submission])
			if !errors.Is(err, store.ErrBatchCancelled) || r.Accepted < 1_020 || r.Accepted > 1_050 {
				t.Errorf("%s: %v, receipt %+v", submission, err, r)
			}
			b, err := p.ledger.Batches.Get(t.Context(), batch)
			if err != nil || b.Moving() != 0 || b.Ended.IsZero() {
				t.Errorf("%s: %+v, %v", submission, b, err)
			}
		}
	})

	t.Run("rows before an input error stay accepted", func(t *testing.T) {
		t.Parallel()
		p := newProducer(t, redistest.Start(t).Client(t))
		broken := errors.New("connection reset")
		r, err := p.Enqueue(t.Context(), input.Batch{Customer: customer, Candidates: func(yield func(input.Candidate, error) bool) {
			_ = yield(candidate("c-1"), nil) && yield(input.Candidate{}, broken)
		}})
		if !errors.Is(err, broken) || r.Accepted != 1 || p.queued(express) != 1 {
			t.Errorf("%v, receipt %+v", err, r)
		}
	})

	t.Run("a batch without a good row is not made", func(t *testing.T) {
		t.Parallel()
		client := redistest.Start(t).Client(t)
		p := newProducer(t, client)
		for _, rows := range [][]input.Candidate{{}, {{}}, {candidate(""), {ID: "c-2"}}} {
			r, err := p.Enqueue(t.Context(), input.Batch{Customer: customer, IdempotencyKey: "k", Candidates: input.Candidates(rows...)})
			if nothing, ok := errors.AsType[*input.NothingAcceptedError](err); !ok || nothing.Refused != len(rows) || r.Batch != "" || len(r.Refused) != len(rows) {
				t.Errorf("%d rows: %+v, %v", len(rows), r, err)
			}
		}
		if n, err := client.Exists(t.Context(), "ix:{"+customer+"}:batches").Result(); err != nil || n != 0 {
			t.Errorf("batches are listed (%v)", err)
		}
		if r := p.send(input.Batch{IdempotencyKey: "k", Candidates: many(1)}); r.Accepted != 1 || r.Known {
			t.Errorf("the key is used up: %+v", r)
		}
	})

	t.Run("dummy addresses are only generated on request", func(t *testing.T) {
		t.Parallel()
		p := newProducer(t, redistest.Start(t).Client(t))
		nameless := candidate("c-1")
		nameless.Email = ""
		r, err := p.Enqueue(t.Context(), input.Batch{Customer: customer, Candidates: input.Candidates(nameless)})
		if _, nothing := errors.AsType[*input.NothingAcceptedError](err); !nothing || r.Accepted != 0 || r.Refused[0].Problems[0].Code != "email_missing" {
			t.Errorf("without: %+v, %v", r, err)
		}
		if r := p.send(input.Batch{Options: input.Options{GenerateDummyEmails: true}, Candidates: input.Candidates(nameless)}); r.Accepted != 1 || r.Dummies != 1 {
			t.Errorf("with: %+v", r)
		}
	})

	t.Run("a batch as a whole is refused by field", func(t *testing.T) {
		t.Parallel()
		p := newProducer(t, redistest.Start(t).Client(t))
		for field, b := range map[string]input.Batch{
			"customer":        {Customer: "acme", Candidates: many(1)},
			"job":             {Customer: customer, Target: input.Target{Job: -1}, Candidates: many(1)},
			"idempotency key": {Customer: customer, IdempotencyKey: strings.Repeat("k", 300), Candidates: many(1)},
			"candidates":      {Customer: customer},
		} {
			var refused *input.BatchError
			if _, err := p.Enqueue(t.Context(), b); !errors.As(err, &refused) || refused.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
	})

	t.Run("after Redis forgot its scripts tasks still go in", func(t *testing.T) {
		t.Parallel()
		p := newProducer(t, redistest.Start(t).Client(t), tasks.WithChunk(40))
		p.send(input.Batch{Candidates: many(100)})
		if err := p.redis.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		p.send(input.Batch{Candidates: many(100)})
		if n := p.queued(normal); n != 200 {
			t.Errorf("%d tasks", n)
		}
	})
}
