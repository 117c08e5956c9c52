package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

// queues are a customer's queues with asynq's own tools.
type queues struct {
	*tasks.Queues
	t         *testing.T
	redis     redis.UniversalClient
	client    *asynq.Client
	inspector *asynq.Inspector
}

func newQueues(t *testing.T, client redis.UniversalClient, retention time.Duration) *queues {
	return &queues{tasks.NewQueues(client, retention), t, client, asynq.NewClientFromRedisClient(client), asynq.NewInspectorFromRedisClient(client)}
}

func (q *queues) must(err error) {
	q.t.Helper()
	if err != nil {
		q.t.Fatal(err)
	}
}

// put enqueues a task that belongs to no export.
func (q *queues) put(queue, id string, options ...asynq.Option) {
	q.t.Helper()
	_, err := q.client.EnqueueContext(q.t.Context(), asynq.NewTask("test", nil), append(options, asynq.Queue(queue), asynq.TaskID(id), asynq.Retention(time.Hour))...)
	q.must(err)
}

// work lets an asynq server start the first task of a queue. It returns once the handler runs. The
// returned function ends the handler and stops the server.
func (q *queues) work(queue string, handle asynq.HandlerFunc) (end func()) {
	q.t.Helper()
	begun, released := make(chan struct{}), make(chan struct{})
	server := asynq.NewServerFromRedisClient(q.redis, asynq.Config{
		Concurrency: 1, Queues: map[string]int{queue: 1}, TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour },
	})
	first := true
	q.must(server.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		if first {
			first = false
			close(begun)
			<-released
		}
		return handle(ctx, t)
	})))
	<-begun
	return func() {
		close(released)
		server.Shutdown()
	}
}

// bring brings a pending task into a state by regular transitions. It must be the only pending task
// of its queue.
func (q *queues) bring(queue, id string, to asynq.TaskState) {
	q.t.Helper()
	answers := map[asynq.TaskState]error{
		asynq.TaskStateRetry: errors.New("not now"), asynq.TaskStateArchived: fmt.Errorf("given up: %w", asynq.SkipRetry), asynq.TaskStateCompleted: nil,
	}
	switch to {
	case asynq.TaskStatePending, asynq.TaskStateActive:
	case asynq.TaskStateScheduled:
		q.t.Fatal("a pending task is never scheduled")
	default:
		q.work(queue, func(context.Context, *asynq.Task) error { return answers[to] })()
	}
	if got := q.state(queue, id); got != to.String() {
		q.t.Fatalf("task %s is %s, want %s", id, got, to)
	}
}

// hurry is Hurry without the count.
func (q *queues) hurry(ctx context.Context, exports ...tasks.Export) error {
	_, err := q.MoveToExpress(ctx, exports...)
	return err
}

// state returns the state of a task; "none" if it does not exist.
func (q *queues) state(queue, id string) string {
	q.t.Helper()
	info, err := q.inspector.GetTaskInfo(queue, id)
	if errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		return "none"
	}
	q.must(err)
	return info.State.String()
}

// total counts the tasks in all queues of the customer.
func (q *queues) total() int {
	q.t.Helper()
	n := 0
	for _, queue := range tasks.QueueNames(customer) {
		n += infoOf(q.t, q.inspector, queue).Size
	}
	return n
}

func export(size store.QueueSize) tasks.Export {
	return tasks.Export{
		Ref:   store.Ref{Customer: customer, Export: "abcdefgh234567ij"},
		Batch: customer + "-bcdefgh234567ijk", Row: 3, Candidate: "c-3", Queue: size, Token: 1_800_000_000_000,
	}
}

// states are the possible states of a task; "none" means there is no task.
var states = []string{"none", "pending", "active", "retry", "archived", "completed"}

// inState creates an export's task and brings it into a state. The returned function ends an active
// task.
func (q *queues) inState(e tasks.Export, state string) (end func()) {
	q.t.Helper()
	if state == "none" {
		return func() {}
	}
	queue := tasks.QueueName(customer, e.Queue)
	q.must(q.Enqueue(q.t.Context(), e))
	if state == "active" {
		return q.work(queue, func(context.Context, *asynq.Task) error { return nil })
	}
	for _, to := range []asynq.TaskState{asynq.TaskStatePending, asynq.TaskStateRetry, asynq.TaskStateArchived, asynq.TaskStateCompleted} {
		if to.String() == state {
			q.bring(queue, tasks.TaskID(e.Ref), to)
		}
	}
	return func() {}
}

// Each operation changes a task in each state as listed here, never creates a second task, and
// keeps the ID.
func TestTasksInEachState(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, tc := range map[string]struct {
		do   func(ctx context.Context, q *queues, e tasks.Export) error
		want map[string]string // state in the export's own queue, and in the express queue if different
	}{
		"run": {
			func(ctx context.Context, q *queues, e tasks.Export) error { return q.Run(ctx, e) },
			map[string]string{"none": "pending none", "pending": "pending none", "active": "active none", "retry": "pending none", "archived": "pending none", "completed": "pending none"},
		},
		"hurry": {
			func(ctx context.Context, q *queues, e tasks.Export) error { return q.hurry(ctx, e) },
			map[string]string{"none": "none pending", "pending": "none pending", "active": "active none", "retry": "none pending", "archived": "archived none", "completed": "completed none"},
		},
		"hurry twice": {
			func(ctx context.Context, q *queues, e tasks.Export) error {
				return errors.Join(q.hurry(ctx, e), q.hurry(ctx, e))
			},
			map[string]string{"none": "none pending", "pending": "none pending", "active": "active none", "retry": "none pending", "archived": "archived none", "completed": "completed none"},
		},
		"hurry, then run": {
			func(ctx context.Context, q *queues, e tasks.Export) error {
				return errors.Join(q.hurry(ctx, e), q.Run(ctx, e))
			},
			map[string]string{"none": "none pending", "pending": "none pending", "active": "active none", "retry": "none pending", "archived": "pending none", "completed": "pending none"},
		},
		"hurry, then enqueue where it is missing": {
			func(ctx context.Context, q *queues, e tasks.Export) error {
				return errors.Join(q.hurry(ctx, e), q.EnqueueMissing(ctx, e))
			},
			map[string]string{"none": "none pending", "pending": "none pending", "active": "active none", "retry": "none pending", "archived": "archived none", "completed": "completed none"},
		},
		"enqueue": {
			func(ctx context.Context, q *queues, e tasks.Export) error { return q.Enqueue(ctx, e) },
			map[string]string{"none": "pending none", "pending": "pending none", "active": "active none", "retry": "retry none", "archived": "archived none", "completed": "completed none"},
		},
		"delete": {
			func(ctx context.Context, q *queues, e tasks.Export) error { return q.Delete(ctx, customer, e.Export) },
			map[string]string{"none": "none none", "pending": "none none", "active": "active none", "retry": "none none", "archived": "none none", "completed": "none none"}, //nolint:dupword // the states in both queues
		},
		"hurry, then delete": {
			func(ctx context.Context, q *queues, e tasks.Export) error {
				return errors.Join(q.hurry(ctx, e), q.Delete(ctx, customer, e.Export))
			},
			map[string]string{"none": "none none", "pending": "none none", "active": "active none", "retry": "none none", "archived": "none none", "completed": "none none"}, //nolint:dupword // the states in both queues
		},
		"empty": {
			func(_ context.Context, q *queues, _ tasks.Export) error { return q.Empty(customer) },
			map[string]string{"none": "none none", "pending": "none none", "active": "active none", "retry": "retry none", "archived": "archived none", "completed": "completed none"}, //nolint:dupword // the states in both queues
		},
		"run later": {
			func(_ context.Context, q *queues, _ tasks.Export) error { return q.RunLater(customer) },
			map[string]string{"none": "none none", "pending": "pending none", "active": "active none", "retry": "pending none", "archived": "archived none", "completed": "completed none"}, //nolint:dupword // the states in both queues
		},
	} {
		for _, state := range states {
			t.Run(name+" of one that is "+state, func(t *testing.T) {
				q := newQueues(t, server.Client(t), time.Hour)
				q.must(q.redis.FlushDB(t.Context()).Err())
				e := export(store.NormalQueue)
				end := q.inState(e, state)
				defer end()
				q.must(tc.do(t.Context(), q, e))
				id := tasks.TaskID(e.Ref)
				if got := q.state(normal, id) + " " + q.state(express, id); got != tc.want[state] {
					t.Errorf("it is %s, want %s", got, tc.want[state])
				}
				if n := q.total(); n > 1 {
					t.Errorf("there are %d tasks", n)
				}
			})
		}
	}
}

func TestAlive(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for state, want := range map[string]tasks.Liveness{"none": tasks.NoTask, "pending": tasks.Waits, "retry": tasks.Waits, "active": tasks.Works, "archived": tasks.NoTask, "completed": tasks.NoTask} {
		t.Run(state, func(t *testing.T) {
			q := newQueues(t, server.Client(t), time.Hour)
			q.must(q.redis.FlushDB(t.Context()).Err())
			e, other := export(store.LargeQueue), export(store.LargeQueue)
			other.Export = "anotherexport234"
			end := q.inState(e, state)
			defer end()
			got, err := q.Alive(t.Context(), other, e, e)
			if err != nil || len(got) != 3 || got[0] != tasks.NoTask || got[1] != want || got[2] != want {
				t.Errorf("%v, %v, want %v", got, err, want)
			}
			active, err := q.Active(customer)
			if orphaned, works := active[e.Ref]; err != nil || works != (state == "active") || orphaned {
				t.Errorf("active: %v, %v", active, err)
			}
		})
	}
}

// A retry, an archived task and Run keep the ID of the task, its queue and its payload.
func TestATaskKeepsItsID(t *testing.T) {
	t.Parallel()
	q := newQueues(t, redistest.Start(t).Client(t), time.Hour)
	e := export(store.LargeQueue)
	id := tasks.TaskID(e.Ref)
	if id != customer+":"+e.Export {
		t.Errorf("the ID is %s", id)
	}
	q.must(q.Enqueue(t.Context(), e))
	want := `{"customer":"1234","batch":"1234-bcdefgh234567ijk","row":3,"candidate":"c-3","export":"abcdefgh234567ij"}`
	for _, to := range []asynq.TaskState{asynq.TaskStatePending, asynq.TaskStateRetry, asynq.TaskStateArchived, asynq.TaskStateCompleted} {
		q.bring(large, id, to)
		info, err := q.inspector.GetTaskInfo(large, id)
		q.must(err)
		if string(info.Payload) != want || info.Type != tasks.TypeExport || info.Retention != time.Hour {
			t.Errorf("%s: %+v", to, info)
		}
		q.must(q.Run(t.Context(), e))
		if got := q.state(large, id); got != "pending" || q.total() != 1 {
			t.Errorf("%s, then run: %s, %d tasks", to, got, q.total())
		}
	}
}

// A substitute replaces a task that no worker runs and that keeps its ID. One claim gets one,
// whoever notices first.
func TestSubstitute(t *testing.T) {
	t.Parallel()
	q := newQueues(t, redistest.Start(t).Client(t), 0)
	e := export(store.LargeQueue)
	end := q.inState(e, "active")
	defer end()
	for _, want := range []int{1, 0} {
		if n, err := q.Substitute(t.Context(), e, e); n != want || err != nil {
			t.Errorf("%d substitutes are new, want %d, %v", n, want, err)
		}
	}
	if n := q.total(); n != 2 {
		t.Errorf("%d tasks, want the export's and its substitute", n)
	}
	list, err := q.inspector.ListPendingTasks(express)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if ref, err := tasks.ParseTask(asynq.NewTask(list[0].Type, list[0].Payload)); err != nil || ref != e.Ref {
		t.Errorf("the substitute names %v, %v", ref, err)
	}
	e.Token++
	if n, err := q.Substitute(t.Context(), e); n != 1 || err != nil || q.total() != 3 {
		t.Errorf("after another claim was lost %d substitutes are new, %v, and there are %d tasks, want 3", n, err, q.total())
	}
	other := e
	other.Export = "anotherexport234"
	_, err = q.Substitute(t.Context(), other)
	q.must(err)
	q.must(q.Delete(t.Context(), customer, e.Export))
	if n := q.total(); n != 2 {
		t.Errorf("%d tasks after those of the export were deleted, want the active one and the other export's", n)
	}
}

// Hurry counts the tasks it moved, not those already in the express queue.
func TestHurryCountsMovedTasks(t *testing.T) {
	t.Parallel()
	q := newQueues(t, redistest.Start(t).Client(t), 0)
	e, other := export(store.LargeQueue), export(store.LargeQueue)
	other.Export = "anotherexport234"
	q.must(q.Enqueue(t.Context(), e))
	if n, err := q.MoveToExpress(t.Context(), e); n != 1 || err != nil {
		t.Errorf("%d moved, %v", n, err)
	}
	if n, err := q.MoveToExpress(t.Context(), e, other); n != 1 || err != nil {
		t.Errorf("%d moved beside one that had been moved, %v", n, err)
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, before := range map[string][]string{
		"queues that do not exist":    nil,
		"one that is paused already":  {normal},
		"all that are paused already": {express, normal, large},
	} {
		t.Run(name, func(t *testing.T) {
			q := newQueues(t, server.Client(t), 0)
			q.must(q.redis.FlushDB(t.Context()).Err())
			for _, queue := range before {
				q.must(q.inspector.PauseQueue(queue))
			}
			for _, paused := range []bool{true, true, false, false} {
				change := q.Resume
				if paused {
					change = q.Pause
				}
				q.must(change(t.Context(), customer))
				states, err := tasks.ReadQueueStates(t.Context(), q.redis, customer)
				q.must(err)
				if s := states[0]; s.Express.Paused != paused || s.Normal.Paused != paused || s.Large.Paused != paused {
					t.Errorf("paused %t: %+v", paused, s)
				}
			}
			// Tasks that arrive after the pause wait too.
			q.must(q.Pause(t.Context(), customer))
			q.must(q.Enqueue(t.Context(), export(store.LargeQueue)))
			if info, err := q.inspector.GetQueueInfo(large); err != nil || !info.Paused || info.Pending != 1 {
				t.Errorf("%+v, %v", info, err)
			}
		})
	}
}

func TestCanceledContextStopsQueueWork(t *testing.T) {
	t.Parallel()
	q := newQueues(t, redistest.Start(t).Client(t), 0)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for name, do := range map[string]func(context.Context, ...tasks.Export) error{
		"enqueue": q.Enqueue, "enqueue missing": q.EnqueueMissing, "run": q.Run, "hurry": q.hurry, "substitute": func(ctx context.Context, all ...tasks.Export) error {
			_, err := q.Substitute(ctx, all...)
			return err
		},
	} {
		if err := do(ctx, export(store.NormalQueue), export(store.LargeQueue)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := q.total(); n != 0 {
		t.Errorf("%d tasks", n)
	}
}
