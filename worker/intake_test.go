package worker_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker/intake"
)

// enqueue puts a task into asynq's queue, as an upstream service does.
func (r *rig) enqueue(task *asynq.Task, options ...asynq.Option) *asynq.TaskInfo {
	r.t.Helper()
	info, err := asynq.NewClientFromRedisClient(r.redis).EnqueueContext(r.t.Context(), task, options...)
	if err != nil {
		r.t.Fatal(err)
	}
	return info
}

// intakeTask is a sealed task with a candidate.
func (r *rig) intakeTask(c input.Candidate, options ...asynq.Option) *asynq.Task {
	r.t.Helper()
	task, err := tasks.NewTask(r.ledger.Keys(), tasks.Order{Customer: customer, Target: input.ToJob(job), Candidate: c}, options...)
	if err != nil {
		r.t.Fatal(err)
	}
	return task
}

// taskInfo waits until a task is in a state, and returns asynq's information about it.
func (r *rig) taskInfo(id string, state asynq.TaskState) *asynq.TaskInfo {
	r.t.Helper()
	var info *asynq.TaskInfo
	r.eventually("task "+id+" is "+state.String(), func() bool {
		var err error
		info, err = asynq.NewInspectorFromRedisClient(r.redis).GetTaskInfo(tasks.IntakeQueue, id)
		return err == nil && info.State == state
	})
	return info
}

func TestIntakeTaskBecomesBatchOfOne(t *testing.T) {
	r := newRig(t, rigOptions{sim: calm()})
	info := r.enqueue(r.intakeTask(ana(), asynq.TaskID("shortlist-42")))
	if dump := redistest.Dump(t, r.redis).Holding(personalValues...); len(dump) > 0 {
		t.Errorf("personal data in clear in %v", dump)
	}
	var result tasks.IntakeResult
	r.must(json.Unmarshal(r.taskInfo(info.ID, asynq.TaskStateCompleted).Result, &result))
	r.eventually("the export ends", func() bool {
		outcomes, err := r.ledger.Batches.Outcomes(t.Context(), result.Batch, 0, 2)
		return err == nil && len(outcomes) == 1 && outcomes[0].State == store.Done && outcomes[0].Export == result.Export
	})
	// asynq has deleted the task, and it is enqueued again: it is the same batch.
	r.must(asynq.NewInspectorFromRedisClient(r.redis).DeleteTask(tasks.IntakeQueue, info.ID))
	r.enqueue(r.intakeTask(ana(), asynq.TaskID("shortlist-42")))
	var again tasks.IntakeResult
	r.must(json.Unmarshal(r.taskInfo(info.ID, asynq.TaskStateCompleted).Result, &again))
	if again != result || len(r.tenant.People()) != 1 {
		t.Errorf("%+v, then %+v; %d people", result, again, len(r.tenant.People()))
	}
}

func TestInvalidIntakeTaskIsArchived(t *testing.T) {
	r := newRig(t, rigOptions{sim: calm()})
	bad := ana()
	bad.Email = "ana.duarte@@telltale"
	problem := r.enqueue(r.intakeTask(bad))
	last := r.taskInfo(problem.ID, asynq.TaskStateArchived).LastErr
	if !strings.HasPrefix(last, "refused: email: ") || strings.Contains(last, "telltale") || !intake.Shown(last) {
		t.Errorf("last error %q", last)
	}
	keys, err := store.NewKeyset()
	r.must(err)
	foreign, err := tasks.NewTask(keys, tasks.Order{Customer: customer, Candidate: ana()})
	r.must(err)
	if last := r.taskInfo(r.enqueue(foreign).ID, asynq.TaskStateArchived).LastErr; !strings.HasPrefix(last, "cannot be opened: ") {
		t.Errorf("with another keyset: %q", last)
	}
	// A copy under another ID would be another batch.
	copied := r.enqueue(r.intakeTask(ana()), asynq.TaskID("copied"))
	if last := r.taskInfo(copied.ID, asynq.TaskStateArchived).LastErr; !strings.HasPrefix(last, "cannot be opened: ") {
		t.Errorf("under another ID: %q", last)
	}
	if n := len(r.tenant.People()); n != 0 {
		t.Errorf("%d people", n)
	}
}

func TestRefusedTasksAreCountedInAFullArchive(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	r.archive(tasks.IntakeQueue, 1_010)
	r.start()
	r.enqueue(asynq.NewTask("candidate:export", nil), asynq.Queue(tasks.IntakeQueue), asynq.TaskID("another"))
	r.taskInfo("refused:another", asynq.TaskStateArchived)
	if n, err := intake.Refused(r.redis, time.Now().Add(-time.Hour)); n != 1 || err != nil {
		t.Errorf("%d counted, %v", n, err)
	}
}

func TestTasksWithReadableCandidatesAreRefusedAndErased(t *testing.T) {
	r := newRig(t, rigOptions{sim: calm()})
	readable, err := json.Marshal(ana())
	r.must(err)
	wrapped, err := json.Marshal(map[string]any{"customer": customer, "order": readable})
	r.must(err)
	for id, task := range map[string]*asynq.Task{
		"readable":     asynq.NewTask(tasks.TypeIntake, readable),
		"base64":       asynq.NewTask(tasks.TypeIntake, wrapped),
		"unknown-type": asynq.NewTask("candidate:export", readable),
		"control":      asynq.NewTask("icims:verify", readable),
	} {
		r.enqueue(task, asynq.Queue(tasks.IntakeQueue), asynq.TaskID(id), asynq.Retention(time.Hour))
	}
	for _, id := range []string{"readable", "base64", "unknown-type", "control"} {
		info := r.taskInfo("refused:"+id, asynq.TaskStateArchived)
		if !strings.HasPrefix(info.LastErr, "refused and erased: ") || !intake.Shown(info.LastErr) || strings.Contains(string(info.Payload), "uarte") {
			t.Errorf("%s: %q, payload %s", id, info.LastErr, info.Payload)
		}
	}
	encoded, err := json.Marshal(readable) // base64
	r.must(err)
	look := append([]string{strings.Trim(string(encoded), `"`)}, personalValues...)
	r.eventually("Redis holds no readable data", func() bool { return len(redistest.Dump(t, r.redis).Holding(look...)) == 0 })
	if n, err := intake.Refused(r.redis, time.Now().Add(-time.Hour)); n != 4 || err != nil {
		t.Errorf("%d counted, %v", n, err)
	}
	found, err := admin.New(admin.Config{Redis: r.redis, Ledger: r.ledger}).Check(t.Context(), []string{customer}, store.DefaultCheckOptions())
	r.must(err)
	if len(found.Violations) != 1 || found.Violations[0].Kind != admin.ViolationIntake || !strings.HasPrefix(found.Violations[0].Text, "4 tasks were ") {
		t.Errorf("the check finds %+v", found.Violations)
	}
}
