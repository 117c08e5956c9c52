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
)

// ControlQueue is the asynq queue of control tasks: what workers do for a customer's iCIMS
// besides exports. Every worker serves it, outside the lanes.
const ControlQueue = "icims:control"

const (
	// controlTries is how often a control task is run whose workers die.
	controlTries = 3
	// controlTimeout bounds one run. Calls have deadlines of their own.
	controlTimeout = 6 * time.Hour
	// controlRetention is how long asynq shows a control task that has ended.
	controlRetention = 10 * time.Minute
)

// ControlTasks tells, by asynq task type, the kinds of control tasks.
func ControlTasks() map[string]store.ControlKind {
	types := map[string]store.ControlKind{}
	for _, kind := range store.ControlKinds() {
		types[controlType(kind)] = kind
	}
	return types
}

// controlType is the asynq task type of a kind: icims:verify, icims:jobs, icims:readback.
func controlType(kind store.ControlKind) string {
	return "icims:" + strings.ReplaceAll(string(kind), "_", "")
}

// controlReference is the payload of a control task. It holds nothing personal.
type controlReference struct {
	Customer string            `json:"customer"`
	Kind     store.ControlKind `json:"kind"`
}

// RequestControl requests a control task of a kind for a customer: it is recorded in the
// ledger and enqueued. A request joins the task of its kind that waits or runs for the
// customer, if there is one, whatever that one's arguments are. args are encoded as JSON;
// by says who asks.
func RequestControl(ctx context.Context, client redis.UniversalClient, ledger *store.Ledger, customer string, kind store.ControlKind, args any, by string) (t store.ControlTask, joined bool, err error) {
	t, joined, err = ledger.RecordControlTask(ctx, customer, kind, args, by)
	if err != nil {
		return t, false, err
	}
	// One that was joined may have lost its task: whoever recorded it died before this, or
	// somebody deleted it.
	return t, joined, EnqueueControl(ctx, client, t, 0)
}

// EnqueueControl enqueues the task of a record, to run after a while. It does nothing if
// asynq has the task and will run it.
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
		// Run it now if it was archived or waits for a time. A task that is pending or
		// active cannot be run, and need not.
		_ = asynq.NewInspectorFromRedisClient(client).RunTask(ControlQueue, id)
		return nil
	}
	if err != nil {
		return fmt.Errorf("enqueue a control task: %w", err)
	}
	return nil
}

// controlTaskID names the task of a record. The record's ID is in it, so that a task that
// asynq still keeps never stands in the way of a later one of the kind.
func controlTaskID(t store.ControlTask) string {
	return t.Customer + ":" + string(t.Kind) + ":" + t.ID
}

// ParseControl reads the customer, kind and record ID of a control task.
func ParseControl(t *asynq.Task, taskID string) (customer string, kind store.ControlKind, id string, err error) {
	var ref controlReference
	if err := json.Unmarshal(t.Payload(), &ref); err != nil {
		return "", "", "", errors.New("the payload does not reference a control task")
	}
	parts := strings.Split(taskID, ":")
	if len(parts) != 3 || parts[0] != ref.Customer || parts[1] != string(ref.Kind) || !store.ValidCustomer(ref.Customer) || ref.Kind == "" || ControlTasks()[t.Type()] != ref.Kind {
		return "", "", "", errors.New("the task ID does not match the payload")
	}
	return ref.Customer, ref.Kind, parts[2], nil
}

// ControlAttempt tells which run of a control task this is, from 1, and whether it may run
// once more. Runs that were handed back do not count.
func ControlAttempt(ctx context.Context) (try int, last bool) {
	died, _ := asynq.GetRetryCount(ctx)
	return died + 1, died >= controlTries
}

// TakeOverErrands enqueues the control tasks that a version with a queue of its own left in
// Redis. One that a worker of that version runs waits until its lease has ended.
func TakeOverErrands(ctx context.Context, client redis.UniversalClient, ledger *store.Ledger) error {
	left, err := ledger.LeftErrands(ctx)
	if err != nil {
		return err
	}
	for _, e := range left {
		t, err := ledger.LastControlTask(ctx, e.Customer, e.Kind)
		if err == nil && !t.State.Ended() {
			err = EnqueueControl(ctx, client, t, max(time.Until(e.Due), 0))
		}
		if err != nil && !errors.Is(err, store.ErrNoControlTask) {
			return err
		}
		if err := ledger.ForgetErrand(ctx, e); err != nil {
			return err
		}
	}
	return nil
}
