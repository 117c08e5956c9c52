package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

const day = 24 * time.Hour

func TestArchivesAreTrimmed(t *testing.T) {
	t.Parallel()

	t.Run("an archive of more than 5,000 tasks loses the oldest", func(t *testing.T) {
		t.Parallel()
		q := newQueues(t, redistest.Start(t).Client(t), 0)
		const more = 30
		q.archive(normal, "task", 5_000+more)
		q.archive(large, "task", 20)
		var oldest []string
		for i := range more {
			oldest = append(oldest, fmt.Sprintf("task-%04d", i*150))
			q.archivedAt(normal, oldest[i], time.Now().Add(-time.Hour))
		}
		if n, err := q.TrimArchives(t.Context(), customer, time.Now()); n != more || err != nil {
			t.Errorf("%d tasks trimmed, %v", n, err)
		}
		if n := infoOf(t, q.inspector, normal).Archived; n != 5_000 {
			t.Errorf("%d tasks are left", n)
		}
		if n := infoOf(t, q.inspector, large).Archived; n != 20 {
			t.Errorf("%d of 20 tasks are left of a small archive", n)
		}
		for _, id := range oldest {
			if got := q.state(normal, id); got != "none" {
				t.Errorf("the old task %s is %s", id, got)
			}
		}
		// The archived task is complete: asynq can run it again.
		if err := q.inspector.RunTask(normal, "task-5029"); err != nil {
			t.Error(err)
		}
		if n, err := q.TrimArchives(t.Context(), customer, time.Now()); n != 0 || err != nil {
			t.Errorf("%d tasks trimmed again, %v", n, err)
		}
	})

	t.Run("tasks that were archived 60 days ago go", func(t *testing.T) {
		t.Parallel()
		q := newQueues(t, redistest.Start(t).Client(t), 0)
		q.archive(normal, "task", 250)
		q.archive(tasks.IntakeQueue, "task", 150)
		q.archive(tasks.ControlQueue, "task", 1)
		archived := func() (n int) {
			for _, queue := range []string{normal, tasks.IntakeQueue, tasks.ControlQueue} {
				n += infoOf(t, q.inspector, queue).Archived
			}
			return n
		}
		trim := func(now time.Time) {
			_, err := q.TrimArchives(t.Context(), customer, now)
			q.must(errors.Join(err, q.TrimShared(t.Context(), now)))
		}
		trim(time.Now().Add(59 * day))
		if n := archived(); n != 401 {
			t.Errorf("%d of 401 tasks are left after 59 days", n)
		}
		trim(time.Now().Add(61 * day))
		if n := archived(); n != 0 {
			t.Errorf("%d tasks are left after 61 days", n)
		}
	})

	t.Run("only old tasks go", func(t *testing.T) {
		t.Parallel()
		q := newQueues(t, redistest.Start(t).Client(t), 0)
		q.archive(normal, "old", 150)
		last := time.Now()
		testrig.Eventually(t, "the next second begins", func() bool { return time.Now().Unix() > last.Unix() }) // asynq's clock has a resolution of one second
		q.archive(normal, "young", 150)
		if n, err := q.TrimArchives(t.Context(), customer, time.Unix(last.Unix()+1, 0).Add(60*day)); n != 150 || err != nil {
			t.Errorf("%d of 150 old tasks trimmed, %v", n, err)
		}
		left, err := q.inspector.ListArchivedTasks(normal, asynq.PageSize(500))
		if err != nil || len(left) != 150 || slices.ContainsFunc(left, func(i *asynq.TaskInfo) bool { return !strings.HasPrefix(i.ID, "young-") }) {
			t.Errorf("%d tasks are left, %v", len(left), err)
		}
	})

	t.Run("a task archived by hand has no known age and stays", func(t *testing.T) {
		t.Parallel()
		q := newQueues(t, redistest.Start(t).Client(t), 0)
		for i := range 120 {
			id := fmt.Sprintf("by-hand-%03d", i)
			q.put(tasks.IntakeQueue, id)
			q.must(q.inspector.ArchiveTask(tasks.IntakeQueue, id))
			q.archivedAt(tasks.IntakeQueue, id, time.Now().Add(-time.Hour))
		}
		q.archive(tasks.IntakeQueue, "failed", 10)
		q.must(q.TrimShared(t.Context(), time.Now()))
		if n := infoOf(t, q.inspector, tasks.IntakeQueue).Archived; n != 130 {
			t.Errorf("%d of 130 tasks are left", n)
		}
		q.must(q.TrimShared(t.Context(), time.Now().Add(61*day)))
		if n := infoOf(t, q.inspector, tasks.IntakeQueue).Archived; n != 120 {
			t.Errorf("%d tasks are left, want the 120 that were archived by hand", n)
		}
	})

	t.Run("unused queues need not exist", func(t *testing.T) {
		t.Parallel()
		q := newQueues(t, redistest.Start(t).Client(t), 0)
		n, err := q.TrimArchives(t.Context(), customer, time.Now())
		q.must(errors.Join(err, q.TrimShared(t.Context(), time.Now()), q.Tidy(t.Context(), customer)))
		if known, err := q.inspector.Queues(); n != 0 || len(known) != 0 || err != nil {
			t.Errorf("%d trimmed, queues %v, %v", n, known, err)
		}
	})
}

func TestQueuesWithoutWorkAreTidied(t *testing.T) {
	t.Parallel()

	t.Run("queues that nothing has used since yesterday leave asynq's list", func(t *testing.T) {
		t.Parallel()
		q := newQueues(t, redistest.Start(t).Client(t), 0)
		for _, queue := range []string{express, normal, large} {
			q.put(queue, "task")
			q.bring(queue, "task", asynq.TaskStateCompleted)
			if n, err := q.inspector.DeleteAllCompletedTasks(queue); n != 1 || err != nil {
				t.Fatalf("%d completed tasks deleted, %v", n, err)
			}
		}
		q.listed(express, normal, large) // all were used on the same day
		q.usedDaysAgo(normal, 1)
		q.usedDaysAgo(large, 2)
		q.listed(express, normal)
		// It returns with its next task.
		q.must(q.Enqueue(t.Context(), export(store.LargeQueue)))
		q.listed(express, normal, large)
	})

	t.Run("paused queues stay", func(t *testing.T) {
		t.Parallel()
		q := newQueues(t, redistest.Start(t).Client(t), 0)
		q.put(normal, "task")
		q.must(q.inspector.DeleteTask(normal, "task"))
		q.must(q.Pause(t.Context(), customer))
		q.listed(normal)
		q.must(q.Resume(t.Context(), customer))
		q.listed()
	})

	t.Run("queues with tasks stay, whatever their state", func(t *testing.T) {
		t.Parallel()
		for _, state := range []string{"pending", "scheduled", "active", "retry", "archived", "completed"} {
			t.Run(state, func(t *testing.T) {
				t.Parallel()
				q := newQueues(t, redistest.Start(t).Client(t), 0)
				switch state {
				case "scheduled":
					q.put(normal, "task", asynq.ProcessIn(time.Hour))
				case "active":
					q.put(normal, "task")
					defer q.work(normal, func(context.Context, *asynq.Task) error { return nil })()
				default:
					q.put(normal, "task")
					for _, to := range []asynq.TaskState{asynq.TaskStatePending, asynq.TaskStateRetry, asynq.TaskStateArchived, asynq.TaskStateCompleted} {
						if to.String() == state {
							q.bring(normal, "task", to)
						}
					}
				}
				q.usedDaysAgo(normal, 2)
				q.listed(normal)
				if got := q.state(normal, "task"); got != state {
					t.Errorf("the task is %s", got)
				}
			})
		}
	})

	t.Run("completed tasks go once their retention is over, although no server serves their queue", func(t *testing.T) {
		t.Parallel()
		q := newQueues(t, redistest.Start(t).Client(t), 0)
		for queue, retention := range map[string]time.Duration{normal: time.Hour, large: time.Second} {
			_, err := q.client.EnqueueContext(t.Context(), asynq.NewTask("test", nil), asynq.Queue(queue), asynq.TaskID("task"), asynq.Retention(retention))
			q.must(err)
			q.bring(queue, "task", asynq.TaskStateCompleted)
		}
		testrig.Eventually(t, "the task goes whose retention is over", func() bool {
			q.must(q.Tidy(t.Context(), customer))
			return q.state(large, "task") == "none"
		})
		if got := q.state(normal, "task"); got != "completed" {
			t.Errorf("within its retention the other task is %s", got)
		}
	})
}

// archive creates tasks and lets an asynq server archive them.
func (q *queues) archive(queue, prefix string, n int) {
	q.t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error {
			_, err := q.client.EnqueueContext(q.t.Context(), asynq.NewTask("test", nil), asynq.Queue(queue), asynq.TaskID(fmt.Sprintf("%s-%04d", prefix, i)))
			return err
		})
	}
	q.must(group.Wait())
	server := asynq.NewServerFromRedisClient(q.redis, asynq.Config{
		Concurrency: 20, Queues: map[string]int{queue: 1}, TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel,
	})
	before := q.archived(queue)
	q.must(server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return fmt.Errorf("given up: %w", asynq.SkipRetry) })))
	defer server.Shutdown()
	testrig.Eventually(q.t, "the tasks are archived", func() bool { return q.archived(queue) == before+n })
}

func (q *queues) archived(queue string) int {
	q.t.Helper()
	n, err := q.redis.ZCard(q.t.Context(), "asynq:{"+queue+"}:archived").Result()
	q.must(err)
	return int(n)
}

// archivedAt changes when asynq archived a task, but not the time in the task: the archive is in
// that order.
func (q *queues) archivedAt(queue, id string, at time.Time) {
	q.t.Helper()
	n, err := q.redis.ZAddArgs(q.t.Context(), "asynq:{"+queue+"}:archived", redis.ZAddArgs{XX: true, Ch: true, Members: []redis.Z{{Score: float64(at.Unix()), Member: id}}}).Result()
	if n != 1 || err != nil {
		q.t.Fatalf("%d tasks moved, %v", n, err)
	}
}

// usedDaysAgo moves asynq's counts of this day to an earlier one.
func (q *queues) usedDaysAgo(queue string, days int) {
	q.t.Helper()
	for _, kind := range []string{"processed", "failed"} {
		key := "asynq:{" + queue + "}:" + kind + ":"
		if err := q.redis.Rename(q.t.Context(), key+time.Now().UTC().Format(time.DateOnly), key+time.Now().UTC().Add(-time.Duration(days)*day).Format(time.DateOnly)).Err(); err != nil && !strings.Contains(err.Error(), "no such key") {
			q.t.Fatal(err)
		}
	}
}

// listed tidies the customer's queues and checks which ones asynq lists.
func (q *queues) listed(want ...string) {
	q.t.Helper()
	q.must(q.Tidy(q.t.Context(), customer))
	got, err := q.inspector.Queues()
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		q.t.Errorf("asynq lists %v, want %v, %v", got, want, err)
	}
}
