package worker_test

import (
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

func (r *rig) auditQueue() []store.Violation {
	r.t.Helper()
	found, err := worker.AuditQueue(r.t.Context(), r.redis, r.ledger, customer, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	return found.Violations
}

func (r *rig) auditLedger() []store.Violation {
	r.t.Helper()
	audits, err := r.ledger.Checks.Run(r.t.Context(), []string{customer}, store.CheckOptions{Late: 5 * time.Minute, Pause: 50 * time.Millisecond})
	if err != nil {
		r.t.Fatal(err)
	}
	return audits[0].Violations
}

func (r *rig) overdue(id store.BatchID, by time.Duration) {
	r.t.Helper()
	for _, o := range r.outcomes(id) {
		at := redis.Z{Score: float64(time.Now().Add(-by).UnixMilli()), Member: o.Export}
		if err := r.redis.ZAdd(r.t.Context(), "ix:{"+customer+"}:due", at).Err(); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestAuditQueue(t *testing.T) {
	t.Parallel()
	late := func(t *testing.T) *rig {
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		r.overdue(r.send(input.ToJob(job), input.Options{}, people(3)...), 2*time.Minute)
		return r
	}
	t.Run("late exports with a task are not reported", func(t *testing.T) {
		t.Parallel()
		if found := late(t).auditQueue(); len(found) > 0 {
			t.Errorf("found %+v", found)
		}
	})
	t.Run("only late exports without a task are reported", func(t *testing.T) {
		t.Parallel()
		r := late(t)
		if _, err := asynq.NewInspectorFromRedisClient(r.redis).DeleteAllPendingTasks(tasks.QueueName(customer, store.ExpressQueue)); err != nil {
			t.Fatal(err)
		}
		r.overdue(r.send(input.ToJob(job), input.Options{}, ana()), 0)
		found := r.auditQueue()
		if len(found) != 3 || found[0].Kind != worker.ViolationNoTask || found[0].Export == "" {
			t.Errorf("found %+v", found)
		}
	})
	t.Run("a task that stays active is reported", func(t *testing.T) {
		t.Parallel()
		r := late(t)
		queue := "asynq:{" + tasks.QueueName(customer, store.ExpressQueue) + "}:"
		if err := r.redis.RPopLPush(t.Context(), queue+"pending", queue+"active").Err(); err != nil {
			t.Fatal(err)
		}
		if found := r.auditQueue(); len(found) != 1 || found[0].Kind != worker.ViolationOrphan {
			t.Errorf("found %+v", found)
		}
	})
}

func TestAuditDuringARun(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: icimstest.Config{
		Seed: 3, Latency: icimstest.Latency{None: true}, Faults: icimstest.Faults{Error500Before: 0.05, Error500After: 0.02, ResetBefore: 0.02},
	}, settings: shortWaits})
	id := r.send(input.ToJob(job), input.Options{}, people(400)...)
	for looks := 0; ; looks++ {
		if found := append(r.auditLedger(), r.auditQueue()...); len(found) > 0 {
			t.Fatalf("audit %d: %+v", looks, found)
		}
		b, err := r.ledger.Batches.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if !b.Ended.IsZero() {
			break
		}
	}
	if found := append(r.auditLedger(), r.auditQueue()...); len(found) > 0 {
		t.Errorf("at the end: %+v", found)
	}
	r.clean()
}
