package tasks_test

import (
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

func TestOutlooks(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		queue := asynq.NewClientFromRedisClient(client)
		put := func(name string, o ...asynq.Option) {
			t.Helper()
			if _, err := queue.EnqueueContext(t.Context(), asynq.NewTask("test", nil), append(o, asynq.Queue(name))...); err != nil {
				t.Fatal(err)
			}
		}
		read := func() (one, two, three tasks.Outlooks) {
			t.Helper()
			got, err := tasks.ReadOutlooks(t.Context(), client, "1", "2", "3")
			if err != nil || len(got) != 3 {
				t.Fatalf("%v, %v", got, err)
			}
			return got[0], got[1], got[2]
		}
		if one, two, _ := read(); one != (tasks.Outlooks{}) || two != (tasks.Outlooks{}) {
			t.Errorf("without tasks: %+v, %+v", one, two)
		}
		now := time.Now()
		put(tasks.BulkQueue("1"))
		put(tasks.BulkQueue("1"))
		put(tasks.ExpressQueue("1"), asynq.ProcessIn(2*time.Hour))
		put(tasks.ExpressQueue("1"), asynq.ProcessIn(time.Hour))
		put(tasks.BulkQueue("3"))
		if err := client.RPopLPush(t.Context(), "asynq:{"+tasks.BulkQueue("3")+"}:pending", "asynq:{"+tasks.BulkQueue("3")+"}:active").Err(); err != nil {
			t.Fatal(err)
		}
		retry := redis.Z{Score: float64(now.Add(time.Minute).Unix()), Member: "task"}
		if err := client.ZAdd(t.Context(), "asynq:{"+tasks.ExpressQueue("3")+"}:retry", retry).Err(); err != nil {
			t.Fatal(err)
		}
		if err := asynq.NewInspectorFromRedisClient(client).PauseQueue(tasks.BulkQueue("3")); err != nil {
			t.Fatal(err)
		}
		one, two, three := read()
		if one.Bulk != (tasks.Outlook{Pending: 2}) || one.Express.Pending != 0 || one.Active() != 0 {
			t.Errorf("waiting tasks: %+v", one)
		}
		if next := one.Express.Next; next.Before(now.Add(59*time.Minute)) || next.After(time.Now().Add(time.Hour+time.Second)) {
			t.Errorf("the first of two scheduled tasks is due at %s", next)
		}
		if two != (tasks.Outlooks{}) {
			t.Errorf("a customer without tasks: %+v", two)
		}
		if three.Bulk != (tasks.Outlook{Active: 1, Paused: true}) || three.Active() != 1 {
			t.Errorf("a task in work, in a paused queue: %+v", three)
		}
		if want := now.Add(time.Minute).Unix(); three.Express.Next.Unix() != want {
			t.Errorf("a task to be retried at %d is said to be at %s", want, three.Express.Next)
		}
	})
}
