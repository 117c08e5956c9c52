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

// QueueName is the asynq queue of a customer for batches of a size.
func QueueName(customer string, size store.QueueSize) string {
	if size == store.NormalQueue {
		return queuePrefix + customer
	}
	return queuePrefix + customer + ":" + string(size)
}

const queuePrefix = "icims:"

// sizes are those of a customer's queues, the small ones first.
var sizes = []store.QueueSize{store.ExpressQueue, store.NormalQueue, store.LargeQueue}

// QueueNames are all queues of a customer, those of small batches first. A queue exists
// once it is used.
func QueueNames(customer string) []string {
	names := make([]string, len(sizes))
	for i, size := range sizes {
		names[i] = QueueName(customer, size)
	}
	return names
}

// The largest batches that go through the express queue, and through the normal one.
const (
	expressLimit = 25
	normalLimit  = 1_000
)

// GoesExpress reports whether a batch of so many candidates goes through the
// express queue.
func GoesExpress(candidates int) bool { return candidates <= expressLimit }

// Weights are the shares of the queues in an open lane.
var Weights = map[store.QueueSize]int{store.ExpressQueue: 6, store.NormalQueue: 3, store.LargeQueue: 1}

// SizeOf is the queue of a batch of so many candidates.
func SizeOf(candidates int) store.QueueSize {
	switch {
	case candidates <= expressLimit:
		return store.ExpressQueue
	case candidates <= normalLimit:
		return store.NormalQueue
	}
	return store.LargeQueue
}

// enqueueAtOnce is how many tasks are enqueued at the same time: asynq takes one at a time.
const enqueueAtOnce = 16

// Queues puts the tasks of exports into asynq's queues, runs them and removes them. It is
// safe for concurrent use.
type Queues struct {
	redis     redis.UniversalClient
	inspector *asynq.Inspector
	retention time.Duration
}

// NewQueues returns the queues in the Redis behind the client. asynq keeps completed tasks
// for the retention; 0 keeps none.
func NewQueues(client redis.UniversalClient, retention time.Duration) *Queues {
	return &Queues{client, asynq.NewInspectorFromRedisClient(client), retention}
}

// enqueuer is an asynq client for one call. asynq's client enters a queue into the list of
// queues once; a queue that was deleted since would be missing from the web UI.
type enqueuer struct {
	client    *asynq.Client
	retention time.Duration
}

func (q *Queues) enqueuer() enqueuer {
	return enqueuer{asynq.NewClientFromRedisClient(q.redis), q.retention}
}

// Enqueue gives each export its task. One that has a task in its queue already keeps it.
func (q *Queues) Enqueue(ctx context.Context, exports ...Export) error {
	put := q.enqueuer()
	return each(ctx, exports, put.enqueue)
}

// EnqueueMissing is Enqueue for exports that may have been moved to the express queue: a
// task ID is unique within its queue only.
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

// add reports whether the task is new. One that has the ID already stays: it may also be
// this very call's, repeated by go-redis after a lost answer.
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

// Substitute gives exports whose tasks nobody works on, although asynq counts them as
// active, another task in the express queue: they may hold an e-mail's lock. It returns how
// many got one; the others have one. asynq forgets a substitute as soon as it ends.
func (q *Queues) Substitute(ctx context.Context, exports ...Export) (int, error) {
	put := q.enqueuer()
	return count(ctx, exports, func(ctx context.Context, e Export) (bool, error) {
		id := substituteID(e)
		e.Queue = store.ExpressQueue
		return put.add(ctx, e, asynq.TaskID(id), asynq.Retention(0))
	})
}

// Run makes the tasks of exports pending that wait for a time or are archived. An export
// without a task gets one.
func (q *Queues) Run(ctx context.Context, exports ...Export) error {
	put := q.enqueuer()
	return each(ctx, exports, func(ctx context.Context, e Export) error { return q.run(ctx, put, e) })
}

// runWithin is for how long an active task is waited for: asynq archives a task a moment
// after its export has become a dead letter.
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
			_, err = q.remove(queue, TaskID(e.Ref)) // it keeps its ID
		case state == asynq.TaskStateActive && time.Since(began) > runWithin:
			return nil // the sweep looks at it, should nobody be at work on it
		case state != asynq.TaskStateActive:
			if err = q.inspector.RunTask(queue, TaskID(e.Ref)); err == nil {
				return nil
			}
		}
		// Somebody was faster, or asynq is about to archive it: look again.
		if err != nil && time.Since(began) > 2*runWithin {
			return fmt.Errorf("run a task: %w", err)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// find tells in which queue an export's task is, and its state; the queue is empty where
// there is no task. An export that was hurried has it in the express queue.
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

// brokenTask reports whether a task has lost what it is about, as after a fail-over. asynq
// takes such a task up and never ends it.
func brokenTask(err error) bool {
	return strings.Contains(err.Error(), "could not decode task message") || strings.Contains(err.Error(), "is not supported task state")
}

func missing(err error) bool {
	return errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound)
}

// Hurry moves the tasks of exports that wait to the express queue, ahead of large batches.
// An export without a task gets one there. Every other task stays where it is. It returns
// how many tasks it put there.
func (q *Queues) Hurry(ctx context.Context, exports ...Export) (int, error) {
	put := q.enqueuer()
	return count(ctx, exports, func(ctx context.Context, e Export) (bool, error) {
		queue, state, err := q.find(e)
		express := QueueName(e.Customer, store.ExpressQueue)
		if err != nil || queue == express || queue != "" && !waits(state) {
			return false, err
		}
		if queue != "" {
			if removed, err := q.remove(queue, TaskID(e.Ref)); err != nil || !removed {
				return false, err // somebody works on it by now
			}
		}
		e.Queue = store.ExpressQueue
		return put.add(ctx, e)
	})
}

func waits(state asynq.TaskState) bool {
	return state == asynq.TaskStatePending || state == asynq.TaskStateScheduled || state == asynq.TaskStateRetry
}

// remove deletes a task, and reports whether it did: an active one stays, and one that is
// not there needs nothing.
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
			return false, nil //nolint:nilerr // it is gone, or being worked on
		}
	}
}

// Alive tells of each export, in their order, whether it has a task that will run or is
// being worked on, and which of the two.
func (q *Queues) Alive(ctx context.Context, exports ...Export) ([]Life, error) {
	lives := make([]Life, len(exports))
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

// Life is whether the task of an export will run.
type Life uint8

// What may be with a task.
const (
	NoTask Life = iota // or one that is archived or completed
	Waits
	Works
)

// LastError is what asynq keeps of a task's last failure; empty for none.
func (q *Queues) LastError(queue, id string) (string, error) {
	task, err := q.inspector.GetTaskInfo(queue, id)
	if err != nil {
		return "", fmt.Errorf("look for a task: %w", err)
	}
	return task.LastErr, nil
}

// Delete deletes the tasks of exports that have ended, and the substitutes that wait. A task
// that is still active is about to be completed, and is waited for a moment; whoever works
// on it for longer finds its export ended.
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
			gone := true
			for _, queue := range existing {
				removed, err := q.remove(queue, TaskID(e.Ref))
				if err != nil || removed {
					return err
				}
				if _, err := q.inspector.GetTaskInfo(queue, TaskID(e.Ref)); err == nil {
					gone = false
				}
			}
			if gone || time.Since(began) > deleteWithin {
				return nil
			}
			if err := pause(ctx); err != nil {
				return err
			}
		}
	})
}

// deleteSubstitutes deletes the substitutes of exports that wait in an express queue. Their
// IDs are known to the queue alone.
func (q *Queues) deleteSubstitutes(ctx context.Context, express string, exports []string) error {
	const (
		page  = 500
		pages = 20 // there are hardly ever as many
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

// deleteWithin is for how long an active task is waited for that is to be deleted.
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

// Empty deletes all pending tasks of a customer, for a cancellation of very many exports:
// to delete them one by one takes long. The caller calls EnqueueMissing for the others.
func (q *Queues) Empty(customer string) error {
	existing, err := q.existing(customer)
	for _, queue := range existing {
		if _, deleteErr := q.inspector.DeleteAllPendingTasks(queue); deleteErr != nil {
			err = errors.Join(err, deleteErr)
		}
	}
	return err
}

// RunLater makes all tasks of a customer pending that wait for a time: the reasons for
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

// existing are the queues of a customer that asynq knows.
func (q *Queues) existing(customer string) ([]string, error) {
	all, err := q.inspector.Queues()
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	return slices.DeleteFunc(QueueNames(customer), func(name string) bool { return !slices.Contains(all, name) }), nil
}

// Active lists the exports whose tasks asynq counts as active, and whether their worker
// has stopped renewing asynq's lease.
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

// activePage is more than all processes work on of a customer.
const activePage = 1_000

// Pause pauses a customer's queues, also those that do not exist yet.
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
			// asynq refuses what somebody else did at the same time.
			now, readErr := ReadQueueStates(ctx, q.redis, customer)
			if readErr != nil || now[0].all()[i].Paused != paused {
				return fmt.Errorf("pause or resume a queue: %w", err)
			}
		}
	}
	return nil
}

// each does something to many exports, some at the same time.
func each(ctx context.Context, exports []Export, do func(context.Context, Export) error) error {
	return eachAt(ctx, len(exports), func(ctx context.Context, i int) error { return do(ctx, exports[i]) })
}

// count is each for what may be done or not. It returns to how many it was done.
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
	return context.Cause(ctx) // it was not done to all
}
