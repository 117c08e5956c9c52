package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// Kinds of violations in the queues.
const (
	ViolationNoTask = "no_task"     // a late export without a task
	ViolationOrphan = "task_orphan" // an active task that no worker runs
)

// auditOverdue is how late an export without a task may be. The sweep re-enqueues it well before.
const auditOverdue = time.Minute

// AuditQueue checks that every moving export of a customer is scheduled for a later time or has a
// task that will run. It checks violations again after a pause, since exports may be moving.
func AuditQueue(ctx context.Context, client redis.UniversalClient, ledger *store.Ledger, customer string, pause time.Duration) (store.Findings, error) {
	first, err := auditQueue(ctx, client, ledger, customer)
	if err != nil || len(first.Violations) == 0 {
		return first, err
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return store.NewFindings(), context.Cause(ctx)
	}
	second, err := auditQueue(ctx, client, ledger, customer)
	return second.Confirmed(first), err
}

func auditQueue(ctx context.Context, client redis.UniversalClient, ledger *store.Ledger, customer string) (store.Findings, error) {
	found := store.NewFindings()
	for _, part := range []struct {
		what  string
		check func(context.Context, redis.UniversalClient, *store.Ledger, string, *store.Findings) error
	}{{"tasks of late exports", auditLate}, {"tasks in work", auditOrphans}, {"queues", auditQueues}} {
		err := part.check(ctx, client, ledger, customer, &found)
		if store.Broken(err) {
			found.Add(store.UnreadableViolation(customer, "", part.what))
		} else if err != nil {
			return found, err
		}
	}
	return found, nil
}

// auditLate finds late exports without a task.
func auditLate(ctx context.Context, client redis.UniversalClient, ledger *store.Ledger, customer string, found *store.Findings) error {
	now, err := ledger.Now(ctx)
	if err != nil {
		return err
	}
	queues := tasks.NewQueues(client, 0)
	return ledger.Recovery.EachOverdue(ctx, customer, now.Add(-auditOverdue), sweepPage, func(page []store.Moving) error {
		exports := make([]tasks.Export, len(page))
		for i, m := range page {
			exports[i] = tasks.ExportOf(m)
		}
		lives, err := queues.Alive(ctx, exports...)
		if err != nil {
			return err
		}
		for i, m := range page {
			if lives[i] == tasks.NoTask && m.State != "" && !m.State.Ended() {
				found.Add(store.Violation{
					Kind: ViolationNoTask, Customer: customer, Export: m.Export,
					Text: fmt.Sprintf("The export is %s, overdue by %s, and has no task.", m.State, now.Sub(m.Due).Round(time.Second)),
				})
			}
		}
		return nil
	})
}

// auditQueues finds queues that cannot be read.
func auditQueues(ctx context.Context, client redis.UniversalClient, _ *store.Ledger, customer string, _ *store.Findings) error {
	_, err := tasks.ReadQueueStates(ctx, client, customer)
	return err
}

// auditOrphans finds active tasks that no worker runs.
func auditOrphans(ctx context.Context, client redis.UniversalClient, ledger *store.Ledger, customer string, found *store.Findings) error {
	active, err := tasks.NewQueues(client, 0).Active(customer)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(active))
	for ref := range active {
		ids = append(ids, ref.Export)
	}
	records, err := ledger.Recovery.States(ctx, customer, ids)
	if err != nil {
		return err
	}
	now, err := ledger.Now(ctx)
	if err != nil {
		return err
	}
	for _, m := range records {
		stuck := m.State != "" && !m.State.Ended() && !m.Lease.After(now) && now.Sub(m.Due) > stuckTask
		ended := m.State == "" || m.State.Ended() // asynq's recoverer then ends the task too
		if !ended && active[m.Ref] && !m.Lease.After(now) || stuck {
			found.Add(store.Violation{
				Kind: ViolationOrphan, Customer: customer, Export: m.Export,
				Text: fmt.Sprintf("Task %s is active, but no worker runs it.", tasks.TaskID(m.Ref)),
			})
		}
	}
	return nil
}
