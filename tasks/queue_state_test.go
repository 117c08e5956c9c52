package tasks_test

import (
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

func TestQueueStates(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		queue := asynq.NewClientFromRedisClient(client)
		inspector := asynq.NewInspectorFromRedisClient(client)
		put := func(customer string, o ...asynq.Option) {
			t.Helper()
			if _, err := queue.EnqueueContext(t.Context(), asynq.NewTask("test", nil), append(o, asynq.Queue(customer))...); err != nil {
				t.Fatal(err)
			}
		}
		before := time.Now()
		put(tasks.BulkQueue("1"))
		put(tasks.BulkQueue("1"))
		put(tasks.ExpressQueue("1"), asynq.ProcessIn(time.Hour))
		put(tasks.ExpressQueue("1"), asynq.ProcessIn(2*time.Hour))
		put(tasks.BulkQueue("3"))
		if err := inspector.PauseQueue(tasks.BulkQueue("3")); err != nil {
			t.Fatal(err)
		}
		got, err := tasks.ReadQueueStates(t.Context(), client, "1", "2", "3")
		if err != nil {
			t.Fatal(err)
		}
		one, two, three := got[0], got[1], got[2]
		if one.Bulk.Pending != 2 || one.Bulk.Later() != 0 || one.Bulk.Paused || !one.Bulk.Next.IsZero() {
			t.Errorf("bulk queue of customer 1: %+v", one.Bulk)
		}
		if waited := time.Since(before); one.Bulk.Oldest <= 0 || one.Bulk.Oldest > waited {
			t.Errorf("the oldest task is said to wait for %s, of %s at most", one.Bulk.Oldest, waited)
		}
		if e := one.Express; e.Pending != 0 || e.Scheduled != 2 || e.Oldest != 0 || e.Next.Before(before.Add(59*time.Minute)) || e.Next.After(time.Now().Add(time.Hour+time.Second)) {
			t.Errorf("express queue of customer 1: %+v", e)
		}
		if two != (tasks.QueueStates{}) {
			t.Errorf("a customer without tasks: %+v", two)
		}
		if !three.Bulk.Paused || three.Bulk.Pending != 1 || three.Express.Paused {
			t.Errorf("paused in the web UI: %+v", three)
		}
	})
}
