package worker_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// archived lists the IDs of the archived tasks in the express queue.
func (r *rig) archived() []string {
	r.t.Helper()
	list, err := r.inspector().ListArchivedTasks(express, asynq.PageSize(100))
	r.must(err)
	ids := make([]string, len(list))
	for i, t := range list {
		ids[i] = t.ID
	}
	return ids
}

// interrupted counts the exports of killed workers in the log of the sweep.
func (r *rig) interrupted() int {
	r.t.Helper()
	sum := 0
	for line := range strings.Lines(r.logs.String()) {
		if !strings.Contains(line, "claim whose lease ran out") {
			continue
		}
		var found struct{ Count int }
		r.must(json.Unmarshal([]byte(line), &found))
		sum += found.Count
	}
	return sum
}

// killPaused is kill for an export of a paused customer.
func (r *rig) killPaused(export string) {
	r.t.Helper()
	claim, err := r.ledger.Claim(r.t.Context(), store.Ref{Customer: customer, Export: export},
		store.ClaimOptions{Lease: time.Second, Settle: time.Hour, Worker: "a worker that was killed", PastPause: true})
	r.must(err)
	if claim.Verdict != store.ClaimOK {
		r.t.Fatalf("the claim is %s", claim.Verdict)
	}
	r.abandon(export, store.ExpressQueue)
}

// sendRefused sends a candidate that iCIMS refuses until the rules are cleared.
func (r *rig) sendRefused() (id store.BatchID, export string) {
	r.t.Helper()
	r.sim.AddRule(icimstest.Rule{Route: "people.create", Fault: icimstest.StatusBefore, Status: 400, Code: 4, Times: -1})
	id = r.send(input.ToJob(job), input.Options{}, ana())
	return id, r.outcomes(id)[0].Export
}

func TestSubstitutesLeaveNothingBehind(t *testing.T) {
	t.Parallel()

	t.Run("a dead letter keeps the export's own task", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		id, export := r.sendRefused()
		own := customer + ":" + export
		r.kill(export, store.ExpressQueue, time.Second)
		r.start()
		r.eventually("the export is dead", func() bool { return r.outcomes(id)[0].State == store.Dead })
		// asynq treats a task as lost 30 seconds after its lease has expired.
		r.worker.Stop()
		r.must(r.redis.ZAdd(t.Context(), "asynq:{"+express+"}:lease", redis.Z{Score: float64(time.Now().Add(-time.Minute).Unix()), Member: own}).Err())
		r.worker = r.newWorker(nil)
		r.must(r.ledger.Lanes.Announce(t.Context(), customer))
		r.start()
		r.eventually("no task runs or waits", func() bool { left, _ := r.size(); return left == len(r.archived()) })
		if got := r.archived(); !slices.Equal(got, []string{own}) {
			t.Errorf("archived %v, want %s", got, own)
		}

		r.sim.ClearRules()
		service := admin.New(admin.Config{Redis: r.redis, Ledger: r.ledger})
		done, err := service.DeadLetters.Retry(t.Context(), admin.DeadChoice{Customers: []string{customer}, Exports: []string{export}}, admin.DeadOrder{Who: "ana", Why: "the field is corrected"})
		if err != nil || done.Done != 1 {
			t.Fatalf("retried %+v, %v", done, err)
		}
		r.eventually("the export is done without a task", func() bool {
			left, _ := r.size()
			return r.outcomes(id)[0].State == store.Done && left == 0
		})
		r.clean()
	})

	t.Run("a dead letter with a lost task gets another", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		_, export := r.sendRefused()
		queues := tasks.NewQueues(r.redis, 0)
		records, err := r.ledger.Recovery.States(t.Context(), customer, []string{export})
		r.must(err)
		_, err = queues.Substitute(t.Context(), tasks.ExportOf(records[0]))
		r.must(err)
		r.must(r.inspector().DeleteTask(express, customer+":"+export))
		r.start()
		r.eventually("its own task is archived, and no other is left", func() bool {
			left, _ := r.size()
			return left == 1 && slices.Equal(r.archived(), []string{customer + ":" + export})
		})
	})

	t.Run("an erasure deletes a waiting task", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true, settings: func(s *worker.Settings) { s.RetryMin, s.RetryMax = time.Hour, time.Hour }})
		r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503, Times: 1})
		id := r.send(input.ToJob(job), input.Options{}, ana())
		r.kill(r.outcomes(id)[0].Export, store.ExpressQueue, time.Second)
		r.start()
		if own, got := customer+":"+r.outcomes(id)[0].Export, r.task(r.inspector().ListRetryTasks); got == own {
			t.Fatal("the waiting task is no substitute")
		}
		service := admin.New(admin.Config{Redis: r.redis, Ledger: r.ledger})
		receipt, err := service.Erase(t.Context(), customer, ana().ID, store.EraseOptions{Who: "ana", Why: "a request"})
		if err != nil || len(receipt.Exports) != 1 {
			t.Fatalf("%+v, %v", receipt, err)
		}
		if list, err := r.inspector().ListRetryTasks(express); err != nil || len(list) != 0 {
			t.Errorf("%d tasks wait, %v", len(list), err)
		}
	})
}

func TestInterruptedExportsAreFoundOnce(t *testing.T) {
	t.Parallel()

	t.Run("while their customer is paused", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		all := r.outcomes(r.send(input.ToJob(job), input.Options{}, people(2)...))
		r.pause(store.Pause{By: "maria", Why: "their go-live"})
		r.killPaused(all[0].Export)
		r.start()
		r.eventually("the first export is found", func() bool { return r.interrupted() > 0 })
		r.killPaused(all[1].Export)
		r.eventually("the second export has a substitute", func() bool {
			list, err := r.inspector().ListPendingTasks(express)
			return err == nil && len(list) == 2
		})
		r.eventually("the second export is found", func() bool { return r.interrupted() > 1 })
		if n := r.interrupted(); n != 2 {
			t.Errorf("2 exports were found %d times", n)
		}
	})

	t.Run("with a substitute that is retried later", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true, settings: func(s *worker.Settings) { s.RetryMin, s.RetryMax = time.Hour, time.Hour }})
		r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503, Times: 1})
		all := people(2)
		id := r.send(input.ToJob(job), input.Options{}, all[0])
		r.kill(r.outcomes(id)[0].Export, store.ExpressQueue, time.Second)
		r.start()
		r.eventually("the first is retried in an hour", func() bool { return r.outcomes(id)[0].State == store.Retrying })
		r.pause(store.Pause{By: "maria", Why: "their go-live"})
		r.killPaused(r.outcomes(r.send(input.ToJob(job), input.Options{}, all[1]))[0].Export)
		r.eventually("the second export is found", func() bool { return r.interrupted() > 1 })
		if n := r.interrupted(); n != 2 {
			t.Errorf("2 exports were found %d times", n)
		}
		if o := r.outcomes(id)[0]; o.Attempts != 1 {
			t.Errorf("the first was tried again: %+v", o)
		}
	})
}

// If the process was killed before a dead letter's task ended, the next sweep of the customer
// removes the task from the archive.
func TestTheSweepDeletesArchivedTasksOfEndedExports(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	r.sim.AddRule(icimstest.Rule{Route: "people.create", Fault: icimstest.StatusBefore, Status: 400, Code: 4, Times: -1})
	id := r.send(input.ToJob(job), input.Options{}, people(3)...)
	r.eventually("all are archived", func() bool { return len(r.archived()) == 3 })
	r.worker.Stop()
	all := r.outcomes(id)
	r.must(r.ledger.DeadLetters.Discard(t.Context(), store.Ref{Customer: customer, Export: all[1].Export}, "ana", "left the company"))
	if n := len(r.archived()); n != 3 {
		t.Fatalf("%d tasks are archived", n)
	}
	r.worker = r.newWorker(nil)
	r.start()
	want := []string{customer + ":" + all[0].Export, customer + ":" + all[2].Export}
	slices.Sort(want)
	r.eventually("its task is deleted", func() bool {
		got := r.archived()
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}
