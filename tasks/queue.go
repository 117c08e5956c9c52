package tasks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
)

// Alarm is the task that an export is to get. The generation tells it from
// former tasks of the export, which may still hold their ids.
type Alarm struct {
	Export     string
	Generation int
}

// Enqueue gives exports that are in the ledger a task each, in the bulk queue,
// and announces the customer's work.
func Enqueue(ctx context.Context, client redis.UniversalClient, ledger *store.Ledger, customer string, alarms ...Alarm) error {
	if err := newEnqueuer(client).enqueue(ctx, customer, BulkQueue(customer), alarms); err != nil {
		return err
	}
	return ledger.Announce(ctx, customer)
}

// EnqueueFirst is Enqueue by the express queue, which passes what waits in the
// bulk queue: for a few exports that were interrupted.
func EnqueueFirst(ctx context.Context, client redis.UniversalClient, ledger *store.Ledger, customer string, alarms ...Alarm) error {
	if err := newEnqueuer(client).enqueue(ctx, customer, ExpressQueue(customer), alarms); err != nil {
		return err
	}
	return ledger.Announce(ctx, customer)
}

// Clock puts tasks into the queue that fire later.
type Clock struct{ client *asynq.Client }

// NewClock returns a clock for the queues behind a client.
func NewClock(client redis.UniversalClient) *Clock {
	return &Clock{asynq.NewClientFromRedisClient(client)}
}

// Set makes a task of the bulk queue that fires after some time, to the second.
func (c *Clock) Set(ctx context.Context, customer string, alarm Alarm, after time.Duration) error {
	task, err := newTask(store.Ref{Customer: customer, Export: alarm.Export}, alarm.Generation, BulkQueue(customer), "")
	if err != nil {
		return err
	}
	// A conflict is this very call, repeated by go-redis after a lost answer.
	if _, err := c.client.EnqueueContext(ctx, task, asynq.ProcessIn(after)); err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return fmt.Errorf("enqueue for later: %w", err)
	}
	return nil
}

// enqueuer puts the tasks of many exports into asynq's queue in one round trip.
// asynq offers no such call; but it takes any client, and it enqueues with one
// script call per task. So it is given a client that records those calls into a
// pipeline and answers "done"; the true answers come when the pipeline is run.
// It serves one goroutine.
type enqueuer struct {
	redis    redis.UniversalClient
	recorder *recorder
	recorded *asynq.Client
	plain    *asynq.Client
	parent   string // names the span that tasks are a part of; empty for none
}

func newEnqueuer(client redis.UniversalClient) *enqueuer {
	r := &recorder{UniversalClient: client}
	return &enqueuer{
		redis: client, recorder: r,
		recorded: asynq.NewClientFromRedisClient(r),
		plain:    asynq.NewClientFromRedisClient(client),
	}
}

type recorder struct {
	redis.UniversalClient
	pipe  redis.Pipeliner
	calls []*redis.Cmd
}

// EvalSha records the call and answers 1, asynq's "enqueued".
func (r *recorder) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	r.calls = append(r.calls, r.pipe.EvalSha(ctx, sha, keys, args...))
	enqueued := redis.NewCmd(ctx)
	enqueued.SetVal(int64(1))
	return enqueued
}

// enqueue puts a task for each export into the queue. An export whose task is
// there already keeps it.
func (e *enqueuer) enqueue(ctx context.Context, customer, queue string, exports []Alarm) error {
	rest := exports
	for len(rest) > 0 {
		unknown, err := e.pipeline(ctx, customer, queue, rest)
		if err != nil {
			return err
		}
		if len(unknown) == 0 {
			return nil
		}
		// The server does not know asynq's script yet: one plain call teaches it.
		if err := e.one(ctx, customer, queue, unknown[0]); err != nil {
			return err
		}
		rest = unknown[1:]
	}
	return nil
}

// pipeline returns the exports for which the server lacked the script.
func (e *enqueuer) pipeline(ctx context.Context, customer, queue string, exports []Alarm) ([]Alarm, error) {
	e.recorder.pipe, e.recorder.calls = e.redis.Pipeline(), e.recorder.calls[:0]
	for _, export := range exports {
		task, err := newTask(store.Ref{Customer: customer, Export: export.Export}, export.Generation, queue, e.parent)
		if err != nil {
			return nil, err
		}
		if _, err := e.recorded.EnqueueContext(ctx, task); err != nil {
			return nil, fmt.Errorf("enqueue: %w", err)
		}
	}
	if len(e.recorder.calls) != len(exports) {
		return nil, fmt.Errorf("enqueue: asynq made %d script calls for %d tasks", len(e.recorder.calls), len(exports))
	}
	_, _ = e.recorder.pipe.Exec(ctx) // its error is that of one of the calls
	var unknown []Alarm
	for i, call := range e.recorder.calls {
		// 0 means that the id is taken: by an earlier sending of the batch, or by
		// this very call when go-redis repeated it after a lost answer.
		switch err := call.Err(); {
		case err == nil:
		case strings.HasPrefix(err.Error(), "NOSCRIPT"):
			unknown = append(unknown, exports[i])
		default:
			return nil, fmt.Errorf("enqueue: %w", err)
		}
	}
	return unknown, nil
}

func (e *enqueuer) one(ctx context.Context, customer, queue string, export Alarm) error {
	task, err := newTask(store.Ref{Customer: customer, Export: export.Export}, export.Generation, queue, e.parent)
	if err != nil {
		return err
	}
	if _, err := e.plain.EnqueueContext(ctx, task); err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return fmt.Errorf("enqueue: %w", err)
	}
	return nil
}
