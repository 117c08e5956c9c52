package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// ControlQueue is the asynq queue of control tasks: calls to a customer's iCIMS other than exports.
// Every worker serves it, outside the lanes.
const ControlQueue = "icims:control"

const (
	// controlTries is how often a control task runs if its workers crash.
	controlTries = 3
	// controlTimeout limits one run. Calls have their own deadlines.
	controlTimeout = 6 * time.Hour
	// controlRetention is how long asynq shows a finished control task.
	controlRetention = 10 * time.Minute
)

// ControlTasks maps asynq task types to the kinds of control tasks.
func ControlTasks() map[string]store.ControlKind {
	types := map[string]store.ControlKind{}
	for _, kind := range store.ControlKinds() {
		types[controlType(kind)] = kind
	}
	return types
}

// controlType returns the asynq task type of a kind: icims:verify, icims:jobs, icims:readback.
func controlType(kind store.ControlKind) string {
	return "icims:" + strings.ReplaceAll(string(kind), "_", "")
}

// controlReference is the payload of a control task. It contains nothing personal.
type controlReference struct {
	Customer string            `json:"customer"`
	Kind     store.ControlKind `json:"kind"`
}

// RequestControl records a control task for a customer and enqueues it. If one of the same kind
// waits or runs, the request joins it, whatever its arguments. args are encoded as JSON; by is the
// name of the requester.
func RequestControl(ctx context.Context, client redis.UniversalClient, ledger *store.Ledger, customer string, kind store.ControlKind, args any, by string) (t store.ControlTask, joined bool, err error) {
	t, joined, err = ledger.Control.Record(ctx, customer, kind, args, by)
	if err != nil {
		return t, false, err
	}
	// The joined one may have no task: its requester failed before enqueueing, or the task was
	// deleted.
	return t, joined, EnqueueControl(ctx, client, t, 0)
}

// EnqueueControl enqueues the task of a record, to run after a delay. It has no effect if asynq has
// the task and will run it.
func EnqueueControl(ctx context.Context, client redis.UniversalClient, t store.ControlTask, after time.Duration) error {
	payload, err := json.Marshal(controlReference{t.Customer, t.Kind})
	if err != nil {
		return fmt.Errorf("payload of a control task: %w", err)
	}
	id := controlTaskID(t)
	task := asynq.NewTask(controlType(t.Kind), payload,
		asynq.Queue(ControlQueue), asynq.TaskID(id), asynq.ProcessIn(after),
		asynq.MaxRetry(controlTries), asynq.Timeout(controlTimeout), asynq.Retention(controlRetention))
	_, err = asynq.NewClientFromRedisClient(client).EnqueueContext(ctx, task)
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		// Run it now if it is archived or scheduled. A pending or active task needs no run.
		_ = asynq.NewInspectorFromRedisClient(client).RunTask(ControlQueue, id)
		return nil
	}
	if err != nil {
		return fmt.Errorf("enqueue a control task: %w", err)
	}
	return nil
}

// controlTaskID returns the task ID of a record. It contains the record's ID, so that a task that
// asynq still keeps never blocks a later one of the kind.
func controlTaskID(t store.ControlTask) string {
	return t.Customer + ":" + string(t.Kind) + ":" + t.ID
}

// ParseControl returns the customer, kind and record ID of a control task.
func ParseControl(t *asynq.Task, taskID string) (customer string, kind store.ControlKind, id string, err error) {
	var ref controlReference
	if err := json.Unmarshal(t.Payload(), &ref); err != nil {
		return "", "", "", errors.New("the payload does not reference a control task")
	}
	parts := strings.Split(taskID, ":")
	if len(parts) != 3 || parts[0] != ref.Customer || parts[1] != string(ref.Kind) || !input.ValidCustomer(ref.Customer) || ref.Kind == "" || ControlTasks()[t.Type()] != ref.Kind {
		return "", "", "", errors.New("the task ID does not match the payload")
	}
	return ref.Customer, ref.Kind, parts[2], nil
}

// ControlAttempt returns the number of this run of a control task, from 1, and whether it is the
// last. Runs that returned the task to the queue do not count.
func ControlAttempt(ctx context.Context) (try int, last bool) {
	died, _ := asynq.GetRetryCount(ctx)
	return died + 1, died >= controlTries
}

// TakeOverErrands enqueues the control tasks left in Redis by a version with its own queue. A task
// that a worker of that version runs waits until its lease ends.
func TakeOverErrands(ctx context.Context, client redis.UniversalClient, ledger *store.Ledger) error {
	left, err := ledger.Recovery.OldErrands(ctx)
	if err != nil {
		return err
	}
	for _, e := range left {
		t, err := ledger.Control.Last(ctx, e.Customer, e.Kind)
		if err == nil && !t.State.Ended() {
			err = EnqueueControl(ctx, client, t, max(time.Until(e.Due), 0))
		}
		if err != nil && !errors.Is(err, store.ErrNoControlTask) {
			return err
		}
		if err := ledger.Recovery.DeleteOldErrand(ctx, e); err != nil {
			return err
		}
	}
	return nil
}
