package tasks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hibiken/asynq"
)

// asynq keeps 10,000 archived tasks for 90 days and drops the rest, and its archive fails if very
// many expire together. So archives are trimmed well below these limits.
const (
	asynqArchive = 10_000
	archiveSize  = 5_000
	archiveAge   = 60 * 24 * time.Hour
)

// Any reports whether asynq has a queue of the customer.
func (q *Queues) Any(customer string) (bool, error) {
	existing, err := q.existing(customer)
	return len(existing) > 0, err
}

// TrimArchives deletes the oldest archived tasks of a customer and returns how many. Their dead
// letters stay in the ledger; retrying one enqueues a new task.
func (q *Queues) TrimArchives(ctx context.Context, customer string, now time.Time) (int, error) {
	states, err := ReadQueueStates(ctx, q.redis, customer)
	if err != nil {
		return 0, err
	}
	trimmed := 0
	for i, queue := range QueueNames(customer) {
		n, err := q.trimArchive(ctx, queue, states[0].all()[i].Archived, now.Add(-archiveAge))
		trimmed += n
		if err != nil {
			return trimmed, err
		}
	}
	return trimmed, nil
}

// TrimShared is TrimArchives for the queues shared by all customers.
func (q *Queues) TrimShared(ctx context.Context, now time.Time) error {
	all, err := q.inspector.Queues()
	if err != nil {
		return fmt.Errorf("list queues: %w", err)
	}
	for _, queue := range []string{ControlQueue, IntakeQueue} {
		if !slices.Contains(all, queue) { // GetQueueInfo has no specific error for that
			continue
		}
		info, err := q.inspector.GetQueueInfo(queue)
		if err != nil {
			return fmt.Errorf("look at a queue: %w", err)
		}
		if _, err := q.trimArchive(ctx, queue, info.Archived, now.Add(-archiveAge)); err != nil {
			return err
		}
	}
	return nil
}

// trimArchive deletes the oldest archived tasks: those beyond archiveSize, and those that failed
// before a time. asynq does not record when a task was archived by hand, so such a task stays.
func (q *Queues) trimArchive(ctx context.Context, queue string, size int, before time.Time) (trimmed int, err error) {
	const page = 500
	var old []string
	young := false
	for n := 1; !young && (n-1)*page < size && ctx.Err() == nil; n++ {
		tasks, err := q.inspector.ListArchivedTasks(queue, asynq.PageSize(page), asynq.Page(n)) // the oldest first
		if errors.Is(err, asynq.ErrQueueNotFound) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("list archived tasks: %w", err)
		}
		for _, t := range tasks {
			byHand := t.LastFailedAt.IsZero()
			if size-len(old) > archiveSize || !byHand && t.LastFailedAt.Before(before) {
				old = append(old, t.ID)
			} else if !byHand {
				young = true
				break
			}
		}
	}
	for _, id := range old {
		if ctx.Err() != nil {
			break
		}
		deleted, err := q.remove(queue, id)
		if err != nil {
			return trimmed, err
		}
		if deleted {
			trimmed++
		}
	}
	return trimmed, context.Cause(ctx)
}

// DeleteArchived deletes archived tasks of a customer whose exports, according to ended, are not
// dead letters.
func (q *Queues) DeleteArchived(ctx context.Context, customer string, ended func(ctx context.Context, exports []string) (map[string]bool, error)) error {
	const page = 500
	existing, err := q.existing(customer)
	if err != nil {
		return err
	}
	for _, queue := range existing {
		var obsolete []string
		for n := 1; n <= asynqArchive/page && ctx.Err() == nil; n++ {
			tasks, err := q.inspector.ListArchivedTasks(queue, asynq.PageSize(page), asynq.Page(n))
			if err != nil && !missing(err) {
				return fmt.Errorf("list archived tasks: %w", err)
			}
			exports := make(map[string]string, len(tasks)) // by task
			for _, t := range tasks {
				if ref, ok := exportOfID(t.ID); ok && ref.Customer == customer {
					exports[t.ID] = ref.Export
				}
			}
			over, err := ended(ctx, slices.Collect(maps.Values(exports)))
			if err != nil {
				return err
			}
			for id, export := range exports {
				if over[export] {
					obsolete = append(obsolete, id)
				}
			}
			if len(tasks) < page {
				break
			}
		}
		for _, id := range obsolete {
			if ctx.Err() != nil {
				break
			}
			if _, err := q.remove(queue, id); err != nil {
				return err
			}
		}
	}
	return context.Cause(ctx)
}

// Tidy deletes what asynq keeps of a customer without work: completed tasks beyond their retention,
// which asynq only deletes while a server runs for their queue, and queues unused since the
// previous day. That keeps the web UI short.
func (q *Queues) Tidy(ctx context.Context, customer string) error {
	existing, err := q.existing(customer)
	if err != nil {
		return err
	}
	for _, queue := range existing {
		info, err := q.inspector.GetQueueInfo(queue)
		if err != nil {
			return fmt.Errorf("look at a queue: %w", err)
		}
		kept, err := q.deleteCompleted(queue, info.Completed)
		if err != nil {
			return err
		}
		days, err := q.inspector.History(queue, 2)
		if err != nil {
			return fmt.Errorf("look at a queue: %w", err)
		}
		idle := info.Size == info.Completed && !kept && !info.Paused
		for _, day := range days {
			idle = idle && day.Processed == 0
		}
		if idle {
			if err := q.inspector.DeleteQueue(queue, false); err != nil && !errors.Is(err, asynq.ErrQueueNotFound) && !errors.Is(err, asynq.ErrQueueNotEmpty) {
				return fmt.Errorf("delete a queue: %w", err)
			}
		}
	}
	return ctx.Err()
}

// deleteCompleted deletes the completed tasks of a queue once the retention of all is over. kept
// reports whether it is not.
func (q *Queues) deleteCompleted(queue string, n int) (kept bool, err error) {
	if n == 0 {
		return false, nil
	}
	last, err := q.inspector.ListCompletedTasks(queue, asynq.PageSize(1), asynq.Page(n)) // last to expire
	if err != nil {
		return false, fmt.Errorf("list completed tasks: %w", err)
	}
	if len(last) == 1 && time.Since(last[0].CompletedAt) < last[0].Retention {
		return true, nil
	}
	if _, err := q.inspector.DeleteAllCompletedTasks(queue); err != nil {
		return false, fmt.Errorf("delete completed tasks: %w", err)
	}
	return false, nil
}
