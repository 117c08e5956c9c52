package worker_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

func TestSweep(t *testing.T) {
	t.Parallel()

	t.Run("exports with lost tasks get new ones", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(input.ToJob(job), input.Options{}, people(60)...)
		if n, err := asynq.NewInspectorFromRedisClient(r.redis).DeleteAllPendingTasks(tasks.QueueName(customer, store.NormalQueue)); n != 60 || err != nil {
			t.Fatalf("deleted %d tasks, %v", n, err)
		}
		r.late(id)
		r.start()
		if b := r.finished(id); b.Created != 60 {
			t.Errorf("batch %+v", b)
		}
		r.clean()
	})

	t.Run("exports of a killed worker continue after their leases without counting an attempt", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(input.ToJob(job), input.Options{}, people(5)...)
		for _, o := range r.outcomes(id) {
			r.kill(o.Export, store.ExpressQueue, time.Second)
		}
		r.start()
		if b := r.finished(id); b.Created != 5 {
			t.Errorf("batch %+v", b)
		}
		if !strings.Contains(r.logs.String(), "claim whose lease ran out") {
			t.Error("the sweep did not log its finding")
		}
		r.clean()
	})

	t.Run("exports of a killed worker do not wait for the rest of their batch", func(t *testing.T) {
		t.Parallel()
		slow := func(c *store.Connection) { c.Limits.CallsPerSecond, c.Limits.Burst = 20, 1 }
		r := newRig(t, rigOptions{sim: calm(), stopped: true, conn: slow})
		id := r.send(input.ToJob(job), input.Options{}, people(1000)...) // 100 s of calls
		last := r.outcomes(id)[999].Export
		r.kill(last, store.NormalQueue, time.Second)
		r.start()
		r.eventually("it is done", func() bool { return r.outcomes(id)[999].State == store.Done })
		if b, err := r.ledger.Batches.Get(t.Context(), id); err != nil || b.Moving() < 500 {
			t.Errorf("done after all but %d others, %v", b.Moving(), err)
		}
		// The rest does not matter.
		r.worker.Stop()
	})

	t.Run("a dead worker's write settles before it is repeated", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true, settings: shortWaits})
		id := r.send(input.ToJob(job), input.Options{}, ana())
		claim := r.kill(r.outcomes(id)[0].Export, store.ExpressQueue, time.Second)
		if err := r.ledger.Step(t.Context(), claim, store.Step{To: store.Creating, Lease: time.Second}); err != nil {
			t.Fatal(err)
		}
		// The POST had taken effect, but its response was not recorded.
		want := r.tenant.AddPerson(existing(map[string]any{"firstname": "Ana"}))
		r.start()
		if b := r.finished(id); b.Created != 1 {
			t.Errorf("batch %+v", b)
		}
		if o := r.outcomes(id)[0]; o.Person != want || r.calls("people.create") != 0 {
			t.Errorf("outcome %+v, want person %d", o, want)
		}
		r.clean()
	})

	t.Run("exports with active tasks without a lease run", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(input.ToJob(job), input.Options{}, ana())
		queue := "asynq:{" + tasks.QueueName(customer, store.ExpressQueue) + "}:"
		ctx := t.Context()
		// As after a failover that lost the lease but not the list.
		task, err := r.redis.RPopLPush(ctx, queue+"pending", queue+"active").Result()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.redis.HSet(ctx, queue+"t:"+task, "state", "active").Err(); err != nil {
			t.Fatal(err)
		}
		r.late(id)
		r.start()
		if b := r.finished(id); b.Created != 1 {
			t.Errorf("batch %+v", b)
		}
		r.clean()
	})

	t.Run("exports with active tasks without a lease run two minutes after they are due", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(input.ToJob(job), input.Options{}, ana())
		export := r.outcomes(id)[0].Export
		r.abandon(export, store.ExpressQueue)
		r.must(r.redis.ZRem(t.Context(), "asynq:{"+express+"}:lease", customer+":"+export).Err())
		r.overdue(id, 105*time.Second)
		r.start()
		if b := r.finished(id); b.Created != 1 {
			t.Errorf("batch %+v", b)
		}
		r.clean()
	})

	t.Run("an export whose worker was killed before the claim continues", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(input.ToJob(job), input.Options{}, ana())
		r.abandon(r.outcomes(id)[0].Export, store.ExpressQueue)
		r.start()
		if b := r.finished(id); b.Created != 1 {
			t.Errorf("batch %+v", b)
		}
		r.clean()
	})

	t.Run("exports of unlisted customers are found", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(input.ToJob(job), input.Options{}, ana())
		if n, err := r.redis.ZRem(t.Context(), "ix:lanes", customer).Result(); n != 1 || err != nil {
			t.Fatalf("%d customers were listed, %v", n, err)
		}
		r.start()
		if b := r.finished(id); b.Created != 1 {
			t.Errorf("batch %+v", b)
		}
		if !strings.Contains(r.logs.String(), "work that is not announced") {
			t.Error("the sweep did not log its finding")
		}
		r.clean()
	})

	t.Run("tasks of a killed worker end after their exports", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(input.ToJob(job), input.Options{}, ana())
		export := r.outcomes(id)[0].Export
		r.abandon(export, store.ExpressQueue)
		// asynq treats a task as lost 30 seconds after its lease has expired.
		lease := redis.Z{Score: float64(time.Now().Add(-time.Minute).Unix()), Member: customer + ":" + export}
		r.must(r.redis.ZAdd(t.Context(), "asynq:{"+express+"}:lease", lease).Err())
		if c, err := r.ledger.Cancel(t.Context(), id, store.CancelOptions{Who: "ana", Why: "the wrong list"}); err != nil || c.Cancelled != 1 {
			t.Fatal(c, err)
		}
		r.start()
		r.eventually("asynq counts none as active", func() bool { left, _ := r.size(); return left == 0 })
		r.eventually("the customer needs no lane", func() bool { return r.wants().IsZero() })
		if r.sim.CallCount() != 0 {
			t.Error("it made calls")
		}
		r.clean()
	})

	t.Run("a task without a record does nothing", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		stray := tasks.Export{Ref: store.Ref{Customer: customer, Export: "aaaaaaaaaaaaaaaa"}}
		if err := errors.Join(tasks.NewQueues(r.redis, 0).Enqueue(t.Context(), stray), r.ledger.Lanes.Announce(t.Context(), customer)); err != nil {
			t.Fatal(err)
		}
		r.eventually("the task is consumed", func() bool {
			info, err := asynq.NewInspectorFromRedisClient(r.redis).GetQueueInfo(tasks.QueueName(customer, store.NormalQueue))
			return err == nil && info.Size == 0 && info.ProcessedTotal > 0
		})
		if r.sim.CallCount() != 0 {
			t.Error("it made calls")
		}
	})
}

// late makes the sweep check the exports of a batch now.
func (r *rig) late(id store.BatchID) {
	r.t.Helper()
	for _, o := range r.outcomes(id) {
		if err := r.redis.ZAdd(r.t.Context(), "ix:{"+customer+"}:due", redis.Z{Score: 1, Member: o.Export}).Err(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// kill leaves an export like a worker that was killed: claimed for a while, with an active task
// whose asynq lease has expired.
func (r *rig) kill(export string, size store.QueueSize, lease time.Duration) *store.Claim {
	r.t.Helper()
	claim, err := r.ledger.Claim(r.t.Context(), store.Ref{Customer: customer, Export: export},
		store.ClaimOptions{Lease: lease, Settle: time.Hour, Worker: "a worker that was killed"})
	if err != nil || claim.Verdict != store.ClaimOK {
		r.t.Fatalf("claim: %v, %v", claim, err)
	}
	r.abandon(export, size)
	return claim
}

// abandon leaves the task of an export like a worker that was killed.
func (r *rig) abandon(export string, size store.QueueSize) {
	r.t.Helper()
	ctx, queue, id := r.t.Context(), "asynq:{"+tasks.QueueName(customer, size)+"}:", customer+":"+export
	r.must(r.redis.LRem(ctx, queue+"pending", 0, id).Err())
	r.must(r.redis.LPush(ctx, queue+"active", id).Err())
	r.must(r.redis.HSet(ctx, queue+"t:"+id, "state", "active").Err())
	r.must(r.redis.ZAdd(ctx, queue+"lease", redis.Z{Score: float64(time.Now().Add(-time.Second).Unix()), Member: id}).Err())
}
