package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// The kinds of violations that a queue can show.
const (
	ViolationNoTask = "no_task"     // a late export that nothing will wake
	ViolationOrphan = "task_orphan" // a task that is in work for ever
)

// auditOverdue is how late an export may be before it needs a task: the
// reconciler gives it another one well before.
const auditOverdue = time.Minute

// AuditQueue checks that every moving export of a customer has a time in the
// future at which it is looked after, or a task that will fire. What looks wrong
// is looked at again after a pause, as it may be moving.
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
	}{{"tasks of late exports", auditLate}, {"tasks in work", auditOrphans}} {
		err := part.check(ctx, client, ledger, customer, &found)
		if store.Broken(err) {
			found.Add(store.UnreadableViolation(customer, "", part.what))
		} else if err != nil {
			return found, err
		}
	}
	return found, nil
}

// auditLate finds late exports that nothing will wake.
func auditLate(ctx context.Context, client redis.UniversalClient, ledger *store.Ledger, customer string, found *store.Findings) error {
	now, err := ledger.Now(ctx)
	if err != nil {
		return err
	}
	turns, err := turnsLeft(ctx, client, customer)
	if err != nil {
		return err
	}
	return ledger.EachOverdue(ctx, customer, now.Add(-auditOverdue), reconcilePage, func(page []store.Moving) error {
		alarms := make([]tasks.Alarm, len(page))
		for i, m := range page {
			alarms[i] = tasks.Alarm{Export: m.Export, Generation: m.Generation}
		}
		alive, err := tasks.Alive(ctx, client, customer, alarms)
		if err != nil {
			return err
		}
		awaits, err := ledger.AwaitTurns(ctx, customer, page)
		if err != nil {
			return err
		}
		for i, m := range page {
			if turnComes := awaits[i] && turns > 0; !alive[i] && !turnComes && m.State != "" && !m.State.Ended() {
				found.Add(store.Violation{
					Kind: ViolationNoTask, Customer: customer, Export: m.Export,
					Text: fmt.Sprintf("The export is %s, was to go on %s ago, and has no task that would wake it.", m.State, now.Sub(m.Due).Round(time.Second)),
				})
			}
		}
		return nil
	})
}

// auditOrphans finds tasks that count as being handled, but which nobody handles.
func auditOrphans(ctx context.Context, client redis.UniversalClient, _ *store.Ledger, customer string, found *store.Findings) error {
	orphans, err := tasks.Orphans(ctx, client, customer)
	if err != nil {
		return err
	}
	for _, o := range orphans {
		alarm, _ := o.Alarm()
		found.Add(store.Violation{
			Kind: ViolationOrphan, Customer: customer, Export: alarm.Export,
			Text: fmt.Sprintf("Task %s of queue %s counts as being handled, but nobody handles it.", o.ID, o.Queue),
		})
	}
	return nil
}

// Reconciling reports whether some worker is looking after late exports.
func Reconciling(ctx context.Context, client redis.UniversalClient) (bool, error) {
	n, err := client.Exists(ctx, leadKey).Result()
	if err != nil {
		return false, fmt.Errorf("look for a worker: %w", err)
	}
	return n == 1, nil
}
