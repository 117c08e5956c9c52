package tasks_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

// The states are read from asynq's keys: they must match asynq's own Inspector.
func TestQueueStatesAreWhatAsynqSays(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		q := newQueues(t, client, time.Hour)
		before := time.Now()
		for i, queue := range []string{express, normal, normal, large, large, large} {
			q.put(queue, string(rune('a'+i))+"-pending")
			q.put(queue, string(rune('a'+i))+"-scheduled", asynq.ProcessIn(time.Duration(i+1)*time.Hour))
		}
		for _, to := range []asynq.TaskState{asynq.TaskStateRetry, asynq.TaskStateArchived, asynq.TaskStateCompleted} {
			q.put("icims:77", to.String())
			q.bring("icims:77", to.String(), to)
		}
		q.put("icims:77", "pending")
		q.put("icims:78:large", "paused")
		if err := q.inspector.PauseQueue("icims:78:large"); err != nil {
			t.Fatal(err)
		}

		customers := []string{customer, "77", "78", "79"}
		got, err := tasks.ReadQueueStates(t.Context(), client, customers...)
		if err != nil || len(got) != len(customers) {
			t.Fatal(got, err)
		}
		pending, err := tasks.Pending(t.Context(), client, customers...)
		if err != nil || !slices.Equal(pending, []int{6, 1, 1, 0}) {
			t.Errorf("pending %v, %v", pending, err)
		}
		for i, c := range customers {
			for queue, state := range map[string]tasks.QueueState{
				tasks.QueueName(c, store.ExpressQueue): got[i].Express, tasks.QueueName(c, store.NormalQueue): got[i].Normal, tasks.QueueName(c, store.LargeQueue): got[i].Large,
			} {
				q.sameAsAsynq(queue, state, before)
			}
		}
		if got[3] != (tasks.QueueStates{}) {
			t.Errorf("a customer without tasks: %+v", got[3])
		}
		if total := got[0].Total(); total.Pending != 6 || total.Later() != 6 || total.Next != got[0].Express.Next || got[0].Bulk().Pending != 5 || got[0].Bulk().Next != got[0].Normal.Next {
			t.Errorf("together: %+v", total)
		}
		if !got[2].Total().Paused || !got[2].Bulk().Paused || got[2].Express.Paused {
			t.Errorf("paused: %+v", got[2])
		}
	})
}

func TestAnActiveTaskIsCounted(t *testing.T) {
	t.Parallel()
	q := newQueues(t, redistest.Start(t).Client(t), 0)
	q.put(normal, "active")
	done := q.work(normal, func(context.Context, *asynq.Task) error { return nil })
	defer done()
	got, err := tasks.ReadQueueStates(t.Context(), q.redis, customer)
	if err != nil {
		t.Fatal(err)
	}
	q.sameAsAsynq(normal, got[0].Normal, time.Time{})
	if got[0].Normal.Active != 1 {
		t.Errorf("%+v", got[0].Normal)
	}
}

func TestALostTaskIsCounted(t *testing.T) {
	t.Parallel()
	q := newQueues(t, redistest.Start(t).Client(t), 0)
	q.put(normal, "task")
	// asynq starts it, and its worker crashes.
	prefix := "asynq:{" + normal + "}:"
	q.must(q.redis.RPopLPush(t.Context(), prefix+"pending", prefix+"active").Err())
	q.must(q.redis.HSet(t.Context(), prefix+"t:task", "state", "active").Err())
	for ago, want := range map[time.Duration]int{-30 * time.Second: 0, 10 * time.Second: 0, 40 * time.Second: 1} {
		q.must(q.redis.ZAdd(t.Context(), prefix+"lease", redis.Z{Score: float64(time.Now().Add(-ago).Unix()), Member: "task"}).Err())
		got, err := tasks.ReadQueueStates(t.Context(), q.redis, customer)
		q.must(err)
		if total := got[0].Total(); total.Lost != want || total.Active != 1 {
			t.Errorf("%s after the end of its lease: %+v", ago, total)
		}
	}
}

// sameAsAsynq compares a state with asynq's Inspector.
func (q *queues) sameAsAsynq(queue string, got tasks.QueueState, since time.Time) {
	q.t.Helper()
	info := infoOf(q.t, q.inspector, queue)
	want := tasks.QueueState{
		Pending: info.Pending, Active: info.Active, Scheduled: info.Scheduled, Retry: info.Retry, Archived: info.Archived, Completed: info.Completed,
		Paused: info.Paused, Oldest: got.Oldest, Next: q.next(queue),
	}
	if got != want {
		q.t.Errorf("queue %s: %+v, asynq says %+v", queue, got, want)
	}
	if got.Oldest < 0 || (got.Oldest > 0) != (info.Pending > 0) || !since.IsZero() && got.Oldest > time.Since(since) {
		q.t.Errorf("queue %s: the oldest of %d is said to wait for %s", queue, info.Pending, got.Oldest)
	}
}

// next returns when the next task is due, according to asynq.
func (q *queues) next(queue string) time.Time {
	var next time.Time
	for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){q.inspector.ListScheduledTasks, q.inspector.ListRetryTasks} {
		found, err := list(queue)
		if err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
			q.t.Fatal(err)
		}
		for _, t := range found {
			if next.IsZero() || t.NextProcessAt.Before(next) {
				next = t.NextProcessAt
			}
		}
	}
	return next
}
