package tasks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/seekout/icims-export/store"
)

// QueueName returns a customer's asynq queue for batches of a size.
func QueueName(customer string, size store.QueueSize) string {
	if size == store.NormalQueue {
		return queuePrefix + customer
	}
	return queuePrefix + customer + ":" + string(size)
}

const queuePrefix = "icims:"

// sizes are the sizes of a customer's queues, smallest first.
var sizes = []store.QueueSize{store.ExpressQueue, store.NormalQueue, store.LargeQueue}

// QueueNames returns all queues of a customer, for small batches first. A queue exists once it is
// used.
func QueueNames(customer string) []string {
	names := make([]string, len(sizes))
	for i, size := range sizes {
		names[i] = QueueName(customer, size)
	}
	return names
}

// The maximum batch sizes of the express queue and the normal queue.
const (
	expressLimit = 25
	normalLimit  = 1_000
)

// GoesExpress reports whether a batch of so many candidates uses the express queue.
func GoesExpress(candidates int) bool { return candidates <= expressLimit }

// Weights are the weights of the queues in an open lane.
var Weights = map[store.QueueSize]int{store.ExpressQueue: 6, store.NormalQueue: 3, store.LargeQueue: 1}

// SizeOf returns the queue size for a batch of so many candidates.
func SizeOf(candidates int) store.QueueSize {
	switch {
	case candidates <= expressLimit:
		return store.ExpressQueue
	case candidates <= normalLimit:
		return store.NormalQueue
	}
	return store.LargeQueue
}

// enqueueAtOnce is how many tasks are enqueued concurrently: asynq takes one per call.
const enqueueAtOnce = 16

// Queues enqueues, runs and deletes the tasks of exports in asynq. It is safe for concurrent use.
type Queues struct {
	redis     redis.UniversalClient
	inspector *asynq.Inspector
	retention time.Duration
}

// NewQueues returns the queues in the client's Redis. asynq keeps completed tasks for the
// retention; 0 keeps none.
func NewQueues(client redis.UniversalClient, retention time.Duration) *Queues {
	return &Queues{client, asynq.NewInspectorFromRedisClient(client), retention}
}

// enqueuer is an asynq client for one call. asynq's client adds a queue to the list of queues only
// once; a queue deleted since would be missing from the web UI.
type enqueuer struct {
	client    *asynq.Client
	retention time.Duration
}

func (q *Queues) enqueuer() enqueuer {
	return enqueuer{asynq.NewClientFromRedisClient(q.redis), q.retention}
}

// Enqueue enqueues the tasks of exports. An export with a task in its queue keeps that task.
func (q *Queues) Enqueue(ctx context.Context, exports ...Export) error {
	put := q.enqueuer()
	return each(ctx, exports, put.enqueue)
}

// EnqueueMissing is Enqueue for exports that may have been moved to the express queue: a task ID is
// unique only within its queue.
func (q *Queues) EnqueueMissing(ctx context.Context, exports ...Export) error {
	put := q.enqueuer()
	return each(ctx, exports, func(ctx context.Context, e Export) error {
		queue, _, err := q.find(e)
		if err != nil || queue != "" {
			return err
		}
		return put.enqueue(ctx, e)
	})
}

func (p enqueuer) enqueue(ctx context.Context, e Export) error {
	_, err := p.add(ctx, e)
	return err
}

// add reports whether the task is new. An existing task with the ID stays: it may also come from
// this call, repeated by go-redis after a lost reply.
func (p enqueuer) add(ctx context.Context, e Export, options ...asynq.Option) (added bool, err error) {
	task, err := newTask(e, p.retention)
	if err != nil {
		return false, err
	}
	_, err = p.client.EnqueueContext(ctx, task, options...)
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return false, fmt.Errorf("enqueue: %w", err)
	}
	return err == nil, nil
}

// Substitute enqueues another task, in the express queue, for exports whose task asynq counts as
// active although no worker runs it. Such exports may hold an email's lock. It returns how many
// were enqueued; the others have a substitute. asynq deletes a substitute as soon as it ends.
func (q *Queues) Substitute(ctx context.Context, exports ...Export) (int, error) {
	put := q.enqueuer()
	return count(ctx, exports, func(ctx context.Context, e Export) (bool, error) {
		id := substituteID(e)
		e.Queue = store.ExpressQueue
		return put.add(ctx, e, asynq.TaskID(id), asynq.Retention(0))
	})
}

// Run makes the scheduled, retrying or archived tasks of exports pending. An export without a task
// gets one.
func (q *Queues) Run(ctx context.Context, exports ...Export) error {
	put := q.enqueuer()
	return each(ctx, exports, func(ctx context.Context, e Export) error { return q.run(ctx, put, e) })
}

// runWithin is how long Run waits for an active task: asynq archives a task a moment after its
// export has become a dead letter.
const runWithin = 2 * time.Second

func (q *Queues) run(ctx context.Context, put enqueuer, e Export) error {
	for began := time.Now(); ; {
		queue, state, err := q.find(e)
		switch {
		case err != nil:
			return err
		case queue == "":
			return put.enqueue(ctx, e)
		case state == asynq.TaskStatePending:
			return nil
		case state == asynq.TaskStateCompleted:
			_, err = q.remove(queue, TaskID(e.Ref)) // the new task gets the same ID
		case state == asynq.TaskStateActive && time.Since(began) > runWithin:
			return nil // if no worker runs it, the sweep repairs it
		case state != asynq.TaskStateActive:
			if err = q.inspector.RunTask(queue, TaskID(e.Ref)); err == nil {
				return nil
			}
		}
		// Another process ran it, or asynq is about to archive it: check again.
		if err != nil && time.Since(began) > 2*runWithin {
			return fmt.Errorf("run a task: %w", err)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// find returns the queue and state of an export's task; the queue is empty if there is no task.
// MoveToExpress may have moved it to the express queue.
func (q *Queues) find(e Export) (queue string, state asynq.TaskState, err error) {
	for _, queue := range placesOf(e) {
		task, err := q.inspector.GetTaskInfo(queue, TaskID(e.Ref))
		switch {
		case err == nil:
			return queue, task.State, nil
		case brokenTask(err):
			return queue, asynq.TaskStateActive, nil
		case !missing(err):
			return "", 0, fmt.Errorf("look for a task: %w", err)
		}
	}
	return "", 0, nil
}

func placesOf(e Export) []string {
	return slices.Compact([]string{QueueName(e.Customer, e.Queue), QueueName(e.Customer, store.ExpressQueue)})
}

// brokenTask reports whether a task has lost its data, for example after a failover. asynq would
// start such a task and never end it.
func brokenTask(err error) bool {
	return strings.Contains(err.Error(), "could not decode task message") || strings.Contains(err.Error(), "is not supported task state")
}

func missing(err error) bool {
	return errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound)
}

// MoveToExpress moves the waiting tasks of exports to the express queue, ahead of large batches. It
// enqueues one there for an export without a task, and leaves all other tasks alone. It returns how
// many tasks it put there.
func (q *Queues) MoveToExpress(ctx context.Context, exports ...Export) (int, error) {
	put := q.enqueuer()
	return count(ctx, exports, func(ctx context.Context, e Export) (bool, error) {
		queue, state, err := q.find(e)
		express := QueueName(e.Customer, store.ExpressQueue)
		if err != nil || queue == express || queue != "" && !waits(state) {
			return false, err
		}
		if queue != "" {
			if removed, err := q.remove(queue, TaskID(e.Ref)); err != nil || !removed {
				return false, err // a worker has started it
			}
		}
		e.Queue = store.ExpressQueue
		return put.add(ctx, e)
	})
}

func waits(state asynq.TaskState) bool {
	return state == asynq.TaskStatePending || state == asynq.TaskStateScheduled || state == asynq.TaskStateRetry
}

// remove deletes a task, and reports whether it did. It returns no error for an active or a missing
// task.
func (q *Queues) remove(queue, id string) (bool, error) {
	for try := 0; ; try++ {
		err := q.inspector.DeleteTask(queue, id)
		if err == nil || missing(err) {
			return err == nil, nil
		}
		task, infoErr := q.inspector.GetTaskInfo(queue, id)
		switch {
		case infoErr != nil && !missing(infoErr), infoErr == nil && task.State != asynq.TaskStateActive && try == 2:
			return false, fmt.Errorf("delete a task: %w", err)
		case infoErr != nil || task.State == asynq.TaskStateActive:
			return false, nil //nolint:nilerr // it is gone or active
		}
	}
}

// Alive returns for each export, in the order given, whether it has a task that will run or is
// active.
func (q *Queues) Alive(ctx context.Context, exports ...Export) ([]Liveness, error) {
	lives := make([]Liveness, len(exports))
	err := eachAt(ctx, len(exports), func(_ context.Context, i int) error {
		_, state, err := q.find(exports[i])
		switch {
		case waits(state):
			lives[i] = Waits
		case state == asynq.TaskStateActive:
			lives[i] = Works
		}
		return err
	})
	return lives, err
}

// Liveness is whether the task of an export will run.
type Liveness uint8

// The values of Liveness.
const (
	NoTask Liveness = iota // or an archived or completed one
	Waits
	Works
)

// LastError returns the error of a task's last failure; empty for none.
func (q *Queues) LastError(queue, id string) (string, error) {
	task, err := q.inspector.GetTaskInfo(queue, id)
	if err != nil {
		return "", fmt.Errorf("look for a task: %w", err)
	}
	return task.LastErr, nil
}

// Delete deletes the tasks of finished exports, and their waiting substitutes. A task that is still
// active is about to complete: Delete waits a moment for it. If it runs longer, its worker finds
// the export ended.
func (q *Queues) Delete(ctx context.Context, customer string, exports ...string) error {
	existing, err := q.existing(customer)
	if err != nil {
		return err
	}
	if express := QueueName(customer, store.ExpressQueue); slices.Contains(existing, express) {
		if err := q.deleteSubstitutes(ctx, express, exports); err != nil {
			return err
		}
	}
	refs := make([]Export, len(exports))
	for i, export := range exports {
		refs[i] = Export{Ref: store.Ref{Customer: customer, Export: export}}
	}
	return each(ctx, refs, func(ctx context.Context, e Export) error {
		for began := time.Now(); ; {
			deleted := true
			for _, queue := range existing {
				removed, err := q.remove(queue, TaskID(e.Ref))
				if err != nil || removed {
					return err
				}
				if _, err := q.inspector.GetTaskInfo(queue, TaskID(e.Ref)); err == nil {
					deleted = false
				}
			}
			if deleted || time.Since(began) > deleteWithin {
				return nil
			}
			if err := pause(ctx); err != nil {
				return err
			}
		}
	})
}

// deleteSubstitutes deletes the waiting substitutes of exports in an express queue. Only the queue
// knows their IDs.
func (q *Queues) deleteSubstitutes(ctx context.Context, express string, exports []string) error {
	const (
		page  = 500
		pages = 20 // rarely needed
	)
	var found []string
	for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){q.inspector.ListPendingTasks, q.inspector.ListRetryTasks} {
		for n := 1; n <= pages && ctx.Err() == nil; n++ {
			tasks, err := list(express, asynq.PageSize(page), asynq.Page(n))
			if err != nil && !missing(err) {
				return fmt.Errorf("list waiting tasks: %w", err)
			}
			for _, t := range tasks {
				if ref, ok := exportOfID(t.ID); ok && t.ID != TaskID(ref) && slices.Contains(exports, ref.Export) {
					found = append(found, t.ID)
				}
			}
			if len(tasks) < page {
				break
			}
		}
	}
	for _, id := range found {
		if _, err := q.remove(express, id); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// deleteWithin is how long Delete waits for an active task.
const deleteWithin = time.Second

// pause waits until asynq may have moved a task.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(50 * time.Millisecond):
		return nil
	}
}

// Empty deletes all pending tasks of a customer, when canceling very many exports: deleting each
// takes too long. The caller must call EnqueueMissing for the other exports.
func (q *Queues) Empty(customer string) error {
	existing, err := q.existing(customer)
	for _, queue := range existing {
		if _, deleteErr := q.inspector.DeleteAllPendingTasks(queue); deleteErr != nil {
			err = errors.Join(err, deleteErr)
		}
	}
	return err
}

// RunLater makes all scheduled and retrying tasks of a customer pending, because the reason for
// waiting may be gone.
func (q *Queues) RunLater(customer string) error {
	existing, err := q.existing(customer)
	for _, queue := range existing {
		_, retryErr := q.inspector.RunAllRetryTasks(queue)
		_, scheduledErr := q.inspector.RunAllScheduledTasks(queue)
		err = errors.Join(err, retryErr, scheduledErr)
	}
	return err
}

// existing returns the queues of a customer that asynq has.
func (q *Queues) existing(customer string) ([]string, error) {
	all, err := q.inspector.Queues()
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	return slices.DeleteFunc(QueueNames(customer), func(name string) bool { return !slices.Contains(all, name) }), nil
}

// Active lists the exports whose tasks asynq counts as active, and whether their worker has stopped
// renewing asynq's lease.
func (q *Queues) Active(customer string) (orphaned map[store.Ref]bool, err error) {
	orphaned = map[store.Ref]bool{}
	for _, queue := range QueueNames(customer) {
		tasks, err := q.inspector.ListActiveTasks(queue, asynq.PageSize(activePage))
		if errors.Is(err, asynq.ErrQueueNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list active tasks: %w", err)
		}
		for _, t := range tasks {
			if ref, ok := exportOfID(t.ID); ok {
				orphaned[ref] = orphaned[ref] || t.IsOrphaned
			}
		}
	}
	return orphaned, nil
}

// activePage is more than the number of exports of a customer in progress in all processes.
const activePage = 1_000

// Pause pauses a customer's queues, including those that do not exist yet.
func (q *Queues) Pause(ctx context.Context, customer string) error {
	return q.setPaused(ctx, customer, true)
}

// Resume resumes a customer's queues.
func (q *Queues) Resume(ctx context.Context, customer string) error {
	return q.setPaused(ctx, customer, false)
}

func (q *Queues) setPaused(ctx context.Context, customer string, paused bool) error {
	change := q.inspector.UnpauseQueue
	if paused {
		change = q.inspector.PauseQueue
	}
	states, err := ReadQueueStates(ctx, q.redis, customer)
	if err != nil {
		return err
	}
	for i, queue := range QueueNames(customer) {
		if states[0].all()[i].Paused == paused {
			continue
		}
		if err := change(queue); err != nil {
			// asynq returns an error if another process did the same.
			now, readErr := ReadQueueStates(ctx, q.redis, customer)
			if readErr != nil || now[0].all()[i].Paused != paused {
				return fmt.Errorf("pause or resume a queue: %w", err)
			}
		}
	}
	return nil
}

// each calls do for many exports, some concurrently.
func each(ctx context.Context, exports []Export, do func(context.Context, Export) error) error {
	return eachAt(ctx, len(exports), func(ctx context.Context, i int) error { return do(ctx, exports[i]) })
}

// count is each for an action that may not apply. It returns for how many it did.
func count(ctx context.Context, exports []Export, do func(context.Context, Export) (bool, error)) (int, error) {
	var n atomic.Int64
	err := each(ctx, exports, func(ctx context.Context, e Export) error {
		done, err := do(ctx, e)
		if done {
			n.Add(1)
		}
		return err
	})
	return int(n.Load()), err
}

func eachAt(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, doing := errgroup.WithContext(ctx)
	group.SetLimit(enqueueAtOnce)
	for i := range n {
		if doing.Err() != nil {
			break
		}
		group.Go(func() error { return do(doing, i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx) // not done for all
}
