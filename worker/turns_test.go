package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker"
)

func TestBatchesTakeTurns(t *testing.T) {
	t.Parallel()

	t.Run("a small batch is done while a large one that came first goes on", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true, conn: limited(400)})
		all := people(1060)
		large, small := r.send(tasks.Prospects, tasks.Options{}, all[:1000]...), r.send(tasks.Prospects, tasks.Options{}, all[1000:]...)
		r.start()
		if b := r.finished(small); b.Created != 60 {
			t.Errorf("batch %+v", b)
		}
		b, err := r.ledger.Batch(t.Context(), large)
		if err != nil || b.Moving() < 500 {
			t.Errorf("%d of the large batch are still moving, %v", b.Moving(), err)
		}
		r.worker.Stop() // the rest is of no interest
	})

	t.Run("exports whose tasks were used as turns are not taken for lost", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true, conn: limited(40)})
		all := people(240)
		one, two := r.send(tasks.Prospects, tasks.Options{}, all[:200]...), r.send(tasks.Prospects, tasks.Options{}, all[200:]...)
		r.late(one)
		r.late(two)
		r.start()
		if a, b := r.finished(one), r.finished(two); a.Created != 200 || b.Created != 40 {
			t.Errorf("batches %+v, %+v", a, b)
		}
		for line := range strings.Lines(r.logs.String()) {
			if strings.Contains(line, `"reconciled"`) {
				t.Errorf("the reconciler interfered: %s", line)
			}
		}
		r.eventually("no task is left", func() bool { left, _ := r.size(); return left == 0 })
		r.clean()
	})

	t.Run("an export that another's task served comes back by one of its own", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true, settings: func(s *worker.Settings) {
			impatient(s)
			s.LaneConcurrency = 1
			s.RetryMin, s.RetryMax = time.Hour, time.Hour
		}})
		all := people(60)
		r.send(tasks.Prospects, tasks.Options{}, all[:30]...)
		id := r.send(tasks.Prospects, tasks.Options{}, all[30:]...)
		r.sim.AddRule(icimstest.Rule{Route: "people.create", Email: all[33].Email, Fault: icimstest.Error503})
		r.start()
		r.eventually("all others are done", func() bool { b, err := r.ledger.Batch(t.Context(), id); return err == nil && b.Moving() <= 1 })
		r.eventually("one waits", func() bool {
			info, err := r.inspector().GetQueueInfo(tasks.BulkQueue(customer))
			return err == nil && info.Size == 1
		})
		for _, o := range r.outcomes(id) {
			if o.State == store.Done {
				continue
			}
			later, err := r.inspector().ListScheduledTasks(tasks.BulkQueue(customer))
			if err != nil || len(later) != 1 || later[0].ID != customer+":"+o.Export+":1" {
				t.Fatalf("tasks %+v, %v", later, err)
			}
		}
		if _, err := asynq.NewInspectorFromRedisClient(r.redis).RunAllScheduledTasks(tasks.BulkQueue(customer)); err != nil {
			t.Fatal(err)
		}
		if b := r.finished(id); b.Created != 30 {
			t.Errorf("batch %+v", b)
		}
		r.clean()
	})
}
