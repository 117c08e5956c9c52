package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker"
)

func TestReconciler(t *testing.T) {
	t.Parallel()

	t.Run("exports whose tasks were lost get new ones", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(tasks.ToJob(job), tasks.Options{}, people(60)...)
		if n, err := asynq.NewInspectorFromRedisClient(r.redis).DeleteAllPendingTasks(tasks.BulkQueue(customer)); n != 60 || err != nil {
			t.Fatalf("deleted %d tasks, %v", n, err)
		}
		r.late(id)
		r.start()
		if b := r.finished(id); b.Created != 60 {
			t.Errorf("batch %+v", b)
		}
		r.clean()
	})

	t.Run("exports of a dead worker go on at once, and no attempt is counted", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(tasks.ToJob(job), tasks.Options{}, people(5)...)
		for _, o := range r.outcomes(id) {
			r.claimAs("a worker that was killed", o.Export)
		}
		r.start()
		if b := r.finished(id); b.Created != 5 {
			t.Errorf("batch %+v", b)
		}
		if !strings.Contains(r.logs.String(), "export of a dead worker") {
			t.Error("the reconciler did not say what it found")
		}
		r.clean()
	})

	t.Run("exports of a dead worker do not wait behind the rest of their batch", func(t *testing.T) {
		t.Parallel()
		slow := func(c *store.Connection) { c.Limits.CallsPerSecond, c.Limits.Burst = 20, 1 }
		r := newRig(t, rigOptions{sim: calm(), stopped: true, conn: slow})
		id := r.send(tasks.ToJob(job), tasks.Options{}, people(1000)...) // 100 s of calls
		last := r.outcomes(id)[999].Export
		r.claimAs("a worker that was killed", last)
		r.start()
		r.eventually("it is done", func() bool { return r.outcomes(id)[999].State == store.Done })
		if b, err := r.ledger.Batch(t.Context(), id); err != nil || b.Moving() < 500 {
			t.Errorf("it was done after all but %d others, %v", b.Moving(), err)
		}
		// The rest is of no interest.
		r.worker.Stop()
	})

	t.Run("a write of a dead worker is settled before it is repeated", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true, settings: impatient})
		id := r.send(tasks.ToJob(job), tasks.Options{}, ana())
		claim := r.claimAs("a worker that was killed", r.outcomes(id)[0].Export)
		if err := r.ledger.Step(t.Context(), claim, store.Step{To: store.Creating, Lease: time.Second}); err != nil {
			t.Fatal(err)
		}
		// The POST had taken effect, but nobody recorded its answer.
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

	t.Run("a worker that lives keeps its claims, even if it is not the one that reconciles", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(tasks.ToJob(job), tasks.Options{}, ana())
		if _, err := r.ledger.Beat(t.Context(), store.Peer{Worker: "alive"}); err != nil {
			t.Fatal(err)
		}
		claim := r.claimAs("alive", r.outcomes(id)[0].Export)
		r.start()
		started := time.Time{}
		r.eventually("a few rounds have passed", func() bool {
			fleet, err := r.ledger.Beat(t.Context(), store.Peer{Worker: "alive"})
			if err != nil {
				t.Fatal(err)
			}
			for name, p := range fleet.Workers {
				if name != "alive" && started.IsZero() {
					started = p.Beat
				}
				if name != "alive" && p.Beat.Sub(started) > 9*time.Second {
					return true
				}
			}
			return false
		})
		if err := r.ledger.Renew(t.Context(), claim, time.Minute); err != nil {
			t.Errorf("the claim was taken away: %v", err)
		}
	})

	t.Run("tasks that asynq holds without a lease are removed, and their exports done", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(tasks.ToJob(job), tasks.Options{}, ana())
		queue := "asynq:{" + tasks.ExpressQueue(customer) + "}:"
		ctx := t.Context()
		// As after a failover that lost the lease but kept the list.
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
		r.eventually("the orphan is gone", func() bool {
			return r.redis.LPos(ctx, queue+"active", task, redis.LPosArgs{}).Err() == redis.Nil && r.redis.Exists(ctx, queue+"t:"+task).Val() == 0
		})
		r.clean()
	})

	t.Run("an export whose handler was killed before the claim goes on soon", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(tasks.ToJob(job), tasks.Options{}, ana())
		queue := "asynq:{" + tasks.ExpressQueue(customer) + "}:"
		ctx := t.Context()
		// As asynq takes a task up, with half an hour for the handler.
		task, err := r.redis.RPopLPush(ctx, queue+"pending", queue+"active").Result()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.redis.HSet(ctx, queue+"t:"+task, "state", "active").Err(); err != nil {
			t.Fatal(err)
		}
		if err := r.redis.ZAdd(ctx, queue+"lease", redis.Z{Score: float64(time.Now().Add(30 * time.Minute).Unix()), Member: task}).Err(); err != nil {
			t.Fatal(err)
		}
		r.start()
		if b := r.finished(id); b.Created != 1 {
			t.Errorf("batch %+v", b)
		}
		if !strings.Contains(r.logs.String(), "task that claims nothing") {
			t.Error("the reconciler did not say what it found")
		}
		r.clean()
	})

	t.Run("exports that no list of customers with work leads to are found", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id := r.send(tasks.ToJob(job), tasks.Options{}, ana())
		if n, err := r.redis.ZRem(t.Context(), "ix:lanes", customer).Result(); n != 1 || err != nil {
			t.Fatalf("%d customers were listed, %v", n, err)
		}
		r.start()
		if b := r.finished(id); b.Created != 1 {
			t.Errorf("batch %+v", b)
		}
		if !strings.Contains(r.logs.String(), "work that is not announced") {
			t.Error("the reconciler did not say what it found")
		}
		r.clean()
	})

	t.Run("a task without a record does nothing", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		if err := tasks.Enqueue(t.Context(), r.redis, r.ledger, customer, tasks.Alarm{Export: "aaaaaaaaaaaaaaaa"}); err != nil {
			t.Fatal(err)
		}
		r.eventually("the task is consumed", func() bool {
			info, err := asynq.NewInspectorFromRedisClient(r.redis).GetQueueInfo(tasks.BulkQueue(customer))
			return err == nil && info.Size == 0 && info.ProcessedTotal > 0
		})
		if r.sim.CallCount() != 0 {
			t.Error("it made calls")
		}
	})
}

// late makes the reconciler look after the exports of a batch now.
func (r *rig) late(id store.BatchID) {
	r.t.Helper()
	for _, o := range r.outcomes(id) {
		if err := r.redis.ZAdd(r.t.Context(), "ix:{"+customer+"}:due", redis.Z{Score: 1, Member: o.Export}).Err(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// claimAs claims an export as another worker would.
func (r *rig) claimAs(name, export string) *store.Claim {
	r.t.Helper()
	claim, err := r.ledger.Claim(r.t.Context(), store.Ref{Customer: customer, Export: export},
		store.ClaimOptions{Lease: worker.DefaultSettings().Lease, Settle: time.Hour, Worker: name})
	if err != nil || claim.Verdict != store.ClaimOK {
		r.t.Fatalf("claim: %v, %v", claim, err)
	}
	return claim
}
