package worker_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// These tests reproduce faults of asynq's queues, and actions of operators in its web UI.
// docs/adr/0010-asynq-hazards.md has the list.

const express = "icims:" + customer + ":express"

func (r *rig) inspector() *asynq.Inspector { return asynq.NewInspectorFromRedisClient(r.redis) }

// task returns the ID of the only task in a state.
func (r *rig) task(list func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error)) string {
	r.t.Helper()
	var id string
	r.eventually("there is one task", func() bool {
		found, err := list(express)
		if len(found) == 1 {
			id = found[0].ID
		}
		return err == nil && len(found) == 1
	})
	return id
}

// size counts the customer's tasks that are not completed, and those that failed by asynq's
// count.
func (r *rig) size() (tasksLeft, failed int) {
	r.t.Helper()
	queues, err := r.inspector().Queues()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, q := range queues {
		info, err := r.inspector().GetQueueInfo(q)
		if err != nil {
			r.t.Fatal(err)
		}
		tasksLeft, failed = tasksLeft+info.Size-info.Completed, failed+info.FailedTotal
	}
	return tasksLeft, failed
}

// once checks that a batch of one ends with one person and one workflow.
func (r *rig) once(id store.BatchID) {
	r.t.Helper()
	b := r.finished(id)
	if inv := r.sim.Invariants(); b.Created != 1 || inv.People != 1 || inv.Workflows != 1 {
		r.t.Errorf("batch %+v, %d people, %d workflows", b, inv.People, inv.Workflows)
	}
	r.clean()
}

// lostAcks fails asynq's first acknowledgements, as a broken connection does.
type lostAcks struct{ left, met atomic.Int64 }

var errInjected = errors.New("injected")

func (l *lostAcks) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l *lostAcks) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (l *lostAcks) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		args := cmd.Args()
		// EVALSHA hash 6 <active> <lease> <completed> <task> <processed of the day> <processed>
		if len(args) > 8 && args[0] == "evalsha" && strings.HasSuffix(text(args[3]), ":active") && strings.HasSuffix(text(args[5]), ":completed") {
			l.met.Add(1)
			if l.left.Add(-1) >= 0 {
				cmd.SetErr(errInjected)
				return errInjected
			}
		}
		return next(ctx, cmd)
	}
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func TestFailedAcksAreRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	acks := &lostAcks{}
	acks.left.Store(3)
	client, ok := r.redis.(*redis.Client)
	if !ok {
		t.Fatalf("the rig has a %T", r.redis)
	}
	client.AddHook(acks)
	id := r.send(input.ToJob(job), input.Options{}, people(5)...)
	r.start()
	if b := r.finished(id); b.Created != 5 {
		t.Errorf("batch %+v", b)
	}
	r.eventually("all tasks are acknowledged", func() bool { left, _ := r.size(); return left == 0 })
	// The repeated acknowledgements succeeded; the tasks did not run again.
	if _, failed := r.size(); failed != 0 || acks.met.Load() != 5+3 {
		t.Errorf("%d tasks ran again, %d acknowledgements", failed, acks.met.Load())
	}
	r.clean()
}

func TestTaskOptionsAvoidHazards(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	id := r.send(input.ToJob(job), input.Options{}, ana())
	export := r.outcomes(id)[0].Export
	again := tasks.Export{Ref: store.Ref{Customer: customer, Export: export}, Queue: store.NormalQueue}
	if err := tasks.NewQueues(r.redis, tasks.DefaultRetention).Enqueue(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	for _, queue := range []string{tasks.QueueName(customer, store.ExpressQueue), tasks.QueueName(customer, store.NormalQueue)} {
		found, err := r.inspector().ListPendingTasks(queue)
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %d tasks, %v", queue, len(found), err)
		}
		info := found[0]
		if info.MaxRetry < 10_000 {
			t.Errorf("after %d retries asynq would archive it", info.MaxRetry)
		}
		if info.Timeout < worker.DefaultSettings().CallTimeout*10 || !info.Deadline.IsZero() || info.Retention != tasks.DefaultRetention {
			t.Errorf("time-out %s, deadline %s, retention %s", info.Timeout, info.Deadline, info.Retention)
		}
		if info.ID != customer+":"+export {
			t.Errorf("the task's ID is %s", info.ID)
		}
		if strings.ContainsAny(queue+info.ID, "/{} ") {
			t.Errorf("the web UI cannot show %s in %s", info.ID, queue)
		}
	}
	if locks := r.redis.Keys(t.Context(), "asynq:*unique*").Val(); len(locks) != 0 {
		t.Errorf("locks of asynq's: %v", locks)
	}
}

func TestCanceledTaskEndsOnce(t *testing.T) {
	t.Parallel()
	for _, route := range []string{"people.create", "workflows.create"} {
		t.Run("during "+route, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) { shortWaits(s); s.CallTimeout = 250 * time.Millisecond }})
			r.sim.AddRule(icimstest.Rule{Route: route, Fault: icimstest.Slow, Delay: 200 * time.Millisecond})
			id := r.send(input.ToJob(job), input.Options{}, ana())
			r.eventually("the call is under way", func() bool { return r.calls(route) == 1 })
			if err := r.inspector().CancelProcessing(customer + ":" + r.outcomes(id)[0].Export); err != nil {
				t.Fatal(err)
			}
			r.once(id)
		})
	}
}

func TestTaskWithoutHashIsReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	id := r.send(input.ToJob(job), input.Options{}, ana())
	lost := r.task(r.inspector().ListPendingTasks)
	if n := r.redis.Del(t.Context(), "asynq:{"+express+"}:t:"+lost).Val(); n != 1 {
		t.Fatalf("the task has %d hashes", n)
	}
	r.late(id)
	r.start()
	r.once(id)
}

func TestDeletedQueueIsRestored(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	all := people(2)
	r.run(input.Prospects, input.Options{}, all[0])
	r.eventually("the queue is empty", func() bool { left, _ := r.size(); return left == 0 })
	if err := r.inspector().DeleteQueue(express, true); err != nil {
		t.Fatal(err)
	}
	if b := r.run(input.Prospects, input.Options{}, all[1]); b.Created != 1 { // the same client
		t.Errorf("batch %+v", b)
	}
	if listed, err := r.redis.SIsMember(t.Context(), "asynq:queues", express).Result(); !listed || err != nil {
		t.Errorf("the inspector does not list the queue, %v", err)
	}
	r.clean()
}

func TestLaneStaysOpenWhileTasksWait(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) {
		s.LaneIdle = 10 * time.Millisecond
		s.RetryMin, s.RetryMax = 3*time.Second, 3*time.Second
	}})
	r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503})
	id := r.send(input.ToJob(job), input.Options{}, ana())
	r.once(id)
	if opened := strings.Count(r.logs.String(), "lane opened"); opened != 1 {
		t.Errorf("the lane was opened %d times", opened)
	}
	if o := r.outcomes(id)[0]; r.calls("search.people") < 2 {
		t.Errorf("no export waited: %+v", o)
	}
	r.eventually("then the lane closes", func() bool { return strings.Contains(r.logs.String(), "lane closed") })
}

// Operators' actions in asynq's web UI bypass the ledger.
func TestTheWebUIBreaksNothing(t *testing.T) {
	t.Parallel()
	waiting := func(s *worker.Settings) { s.RetryMin, s.RetryMax = time.Hour, time.Hour }
	// retrying returns a rig with one export that is retried in an hour.
	retrying := func(t *testing.T) (*rig, store.BatchID, string) {
		t.Helper()
		r := newRig(t, rigOptions{sim: calm(), settings: waiting})
		r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503})
		id := r.send(input.ToJob(job), input.Options{}, ana())
		return r, id, r.task(r.inspector().ListRetryTasks)
	}

	t.Run("a retry run manually runs now", func(t *testing.T) {
		t.Parallel()
		r, id, task := retrying(t)
		if err := r.inspector().RunTask(express, task); err != nil {
			t.Fatal(err)
		}
		r.once(id)
	})
	t.Run("an archived retry runs when it is due", func(t *testing.T) {
		t.Parallel()
		r, id, task := retrying(t)
		if err := r.inspector().ArchiveTask(express, task); err != nil {
			t.Fatal(err)
		}
		r.late(id)
		r.once(id)
		r.eventually("no task is left", func() bool { left, _ := r.size(); return left == 0 })
	})
	t.Run("a deleted retry gets another task", func(t *testing.T) {
		t.Parallel()
		r, id, task := retrying(t)
		if err := r.inspector().DeleteTask(express, task); err != nil {
			t.Fatal(err)
		}
		r.late(id)
		r.once(id)
	})
	t.Run("archived, deleted or lost waiting tasks are replaced", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		all := people(30)
		bulk, few := r.send(input.Prospects, input.Options{}, all...), people(32)[30:]
		small := r.send(input.Prospects, input.Options{}, few...)
		if n, err := r.inspector().ArchiveAllPendingTasks(tasks.QueueName(customer, store.NormalQueue)); n != 30 || err != nil {
			t.Fatalf("archived %d, %v", n, err)
		}
		if err := r.inspector().DeleteQueue(express, true); err != nil {
			t.Fatal(err)
		}
		r.late(bulk)
		r.late(small)
		r.start()
		if b, s := r.finished(bulk), r.finished(small); b.Created != 30 || s.Created != 2 {
			t.Errorf("batches %+v, %+v", b, s)
		}
		r.clean()
	})
	t.Run("a paused queue counts no attempt", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(input.ToJob(job), input.Options{}, ana())
		if err := r.inspector().PauseQueue(express); err != nil {
			t.Fatal(err)
		}
		r.late(id)
		r.start()
		r.eventually("the customer has no lane", func() bool {
			wants, err := r.redis.ZScore(t.Context(), "ix:lanes", customer).Result()
			return err == nil && wants > float64(time.Now().Add(time.Second).UnixMicro())
		})
		if o := r.outcomes(id)[0]; o.State != store.Queued || o.Attempts != 0 || r.sim.CallCount() != 0 {
			t.Errorf("outcome %+v after %d calls", o, r.sim.CallCount())
		}
		if err := r.inspector().UnpauseQueue(express); err != nil {
			t.Fatal(err)
		}
		r.once(id)
	})
}

// A frozen worker loses its task to another one, acknowledges it all the same, and the other one
// dies: asynq lists the task as completed. Scheduled tasks of ended exports must not hide that.
func TestClaimWithoutTaskIsFound(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	id := r.send(input.ToJob(job), input.Options{}, ana())
	export := r.outcomes(id)[0].Export
	r.kill(export, store.ExpressQueue, 0)
	ctx, queue, task := t.Context(), "asynq:{"+express+"}:", customer+":"+export
	r.must(r.redis.LRem(ctx, queue+"active", 0, task).Err())
	r.must(r.redis.ZRem(ctx, queue+"lease", task).Err())
	r.must(r.redis.HSet(ctx, queue+"t:"+task, "state", "completed").Err())
	r.must(r.redis.ZAdd(ctx, queue+"completed", redis.Z{Score: float64(time.Now().Add(time.Hour).Unix()), Member: task}).Err())
	for _, ended := range []string{"ended-1", "ended-2"} {
		payload := []byte(`{"customer":"` + customer + `","export":"` + ended + `"}`)
		_, err := asynq.NewClientFromRedisClient(r.redis).Enqueue(asynq.NewTask(tasks.TypeExport, payload),
			asynq.Queue(express), asynq.TaskID(customer+":"+ended), asynq.ProcessIn(time.Hour))
		r.must(err)
	}
	r.start()
	if b := r.finished(id); b.Created != 1 {
		t.Errorf("%+v", b)
	}
}
