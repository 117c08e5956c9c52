package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// The kinds of violations that queue and iCIMS can show.
const (
	ViolationNoTask         = "no_task"         // a late export that nothing will wake
	ViolationOrphan         = "task_orphan"     // a task that is in work for ever
	ViolationRemotePerson   = "remote_person"   // a marker's person who is not in iCIMS
	ViolationRemoteWorkflow = "remote_workflow" // a marker's workflow that is not in iCIMS
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

// RemoteCalls is how many calls AuditRemote makes for the markers.
func RemoteCalls(markers []store.Marker) int {
	n := len(markers)
	for _, m := range markers {
		n += len(m.Workflows)
	}
	return n
}

// AuditRemote checks that the persons and workflows of markers are in the
// customer's iCIMS, with one call for each, under the limits of the connection
// as they hold for all processes. Its error is that of a call whose answer says
// nothing about a marker.
func AuditRemote(ctx context.Context, ledger *store.Ledger, conn store.Connection, hosts icims.HostPolicy, timeout time.Duration, markers []store.Marker) ([]store.Violation, error) {
	conn = conn.WithDefaults()
	portals, err := icims.ParsePortalURLs(conn.PortalURLs, hosts)
	if err != nil {
		return nil, err
	}
	base, cancel := context.WithCancel(ctx)
	defer cancel()
	g := newGate(base, gateConfig{
		ledger: ledger, customer: conn.Customer, worker: rand.Text()[:10], credentials: ledger.Keys().CredentialsHash(conn),
		hold: timeout + holdMargin, places: newPlaces(conn.Limits.InFlight), ids: new(atomic.Int64), now: time.Now,
	}, conn.Limits)
	defer g.close(context.WithoutCancel(ctx))
	client, err := icims.New(portals[0].Root, conn.Customer, connections.Auth(conn),
		icims.WithHosts(hosts), icims.WithCallTimeout(timeout), icims.WithMiddleware(g.middleware))
	if err != nil {
		return nil, fmt.Errorf("connection of customer %s: %w", conn.Customer, err)
	}
	defer client.CloseIdleConnections()

	var found []store.Violation
	violate := func(kind, format string, args ...any) {
		found = append(found, store.Violation{Kind: kind, Customer: conn.Customer, Text: fmt.Sprintf(format, args...)})
	}
	for _, m := range markers {
		person, _, err := client.Person(ctx, icims.PersonID(m.Person))
		switch {
		case isGone(err):
			violate(ViolationRemotePerson, "Person %d, exported %s, cannot be found in iCIMS.", m.Person, m.ExportedAt.UTC().Format(time.DateOnly))
		case err != nil:
			return found, err
		case person.Purged():
			violate(ViolationRemotePerson, "Person %d, exported %s, is in the Purge folder of iCIMS.", m.Person, m.ExportedAt.UTC().Format(time.DateOnly))
		}
		for _, job := range slices.Sorted(maps.Keys(m.Workflows)) {
			_, _, err := client.Workflow(ctx, icims.WorkflowID(m.Workflows[job]))
			switch {
			case isGone(err):
				violate(ViolationRemoteWorkflow, "Workflow %d of person %d on job %d cannot be found in iCIMS.", m.Workflows[job], m.Person, job)
			case err != nil:
				return found, err
			}
		}
	}
	return found, nil
}

// isGone tells a missing record, or one that the account may not see, from a call
// that failed.
func isGone(err error) bool {
	refusal, ok := errors.AsType[*icims.Error](err)
	return ok && (refusal.Reason == icims.ReasonNotFound || refusal.Reason == icims.ReasonAccessDenied && refusal.Status == 404)
}

// Reconciling reports whether some worker is looking after late exports.
func Reconciling(ctx context.Context, client redis.UniversalClient) (bool, error) {
	n, err := client.Exists(ctx, leadKey).Result()
	if err != nil {
		return false, fmt.Errorf("look for a worker: %w", err)
	}
	return n == 1, nil
}
