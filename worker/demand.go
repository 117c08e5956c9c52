package worker

import (
	"cmp"
	"context"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// workload is what a customer has to do, and what keeps it from being done.
type workload struct {
	announced store.Announced // zero: not in the list of lanes
	queues    tasks.QueueStates
	quota     store.Standing
	live      int64 // exports that have not ended
}

// readWithin bounds how long a customer's workload is waited for: one node of a cluster may
// hang.
const readWithin = 3 * time.Second

// readWorkload reads a customer's workload. The list of lanes is read before the queues: what
// comes in between is announced later, which Rest and Withdraw notice.
func (w *Worker) readWorkload(ctx context.Context, customer string) (l workload, err error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	var caller store.Caller
	w.locked(func() {
		if conn, known := w.connections[customer]; known {
			caller = store.Caller{Credentials: w.ledger.Keys().CredentialsHash(conn), Limits: conn.Limits}
		}
	})
	announced, err := w.ledger.AnnouncedOf(ctx, customer)
	if err != nil {
		return l, err
	}
	if l.live, err = w.ledger.Live(ctx, customer); err != nil {
		return l, err
	}
	queues, err := tasks.ReadQueueStates(ctx, w.redis, customer)
	if err != nil {
		return l, err
	}
	quota, err := w.ledger.StandingsFor(ctx, []string{customer}, []store.Caller{caller})
	if err != nil {
		return l, err
	}
	l.announced, l.queues, l.quota = announced[customer], queues[0], quota[0]
	return l, nil
}

// demand is what a customer wants of a lane.
type demand struct {
	// next is when a lane has something to do; zero: nothing is to come.
	next time.Time
	// waits says what work waits for that has no time of its own; empty: nothing.
	waits string
	// elsewhere: something is being worked on, which may come back at any time.
	active bool
}

const (
	// worthWaiting is how far ahead the next work may be for an open lane to wait
	// for it.
	maxLaneWait = 5 * time.Second
	// ahead is how long before work is due its lane opens: asynq looks for what is
	// due once a second.
	openAhead = time.Second
	// pauseLook is when a queue that is paused in asynq's web UI is looked at again;
	// no lane is kept open for it.
	pausedRecheck = maxLaneWait
	// unknownLook is when work is looked at again of which nobody knows when it
	// goes on.
	unknownRecheck = 10 * time.Minute
)

// The reasons why work waits, as the log tells them.
const (
	waitsPaused     = "paused"
	waitsQueuePause = "paused in the queue's web UI"
)

// demand tells it for a time by this process's clock, as asynq's times and the ends
// of closures are.
func (l workload) demand(now time.Time) demand {
	d := demand{active: l.queues.Total().Active > 0}
	for _, q := range []struct {
		tasks.QueueState
		closed store.Closure
	}{{l.queues.Normal, l.quota.Closed}, {l.queues.Large, l.quota.Closed}, {l.queues.Express, l.quota.ClosedExpress}} {
		next, waits := q.Next, ""
		if !next.IsZero() {
			next = next.Add(-openAhead)
		}
		if q.Pending > 0 {
			next = now
		}
		if next.IsZero() {
			continue
		}
		if closed := q.closed.At(now); !closed.Open() {
			next, waits = later(next, waits, cmp.Or(closed.Until, now.Add(unknownRecheck)), string(closed.Reason))
		}
		if q.Paused {
			next, waits = later(next, waits, now.Add(pausedRecheck), waitsQueuePause)
		}
		if d.next.IsZero() || next.Before(d.next) {
			d.next, d.waits = next, waits
		}
	}
	// Exports without a task are the sweep's: it announces them.
	if d.next.IsZero() && l.live > 0 {
		d.next = now.Add(unknownRecheck)
	}
	if l.quota.Pause != nil && !d.next.IsZero() {
		until := cmp.Or(l.quota.Pause.Until, now.Add(unknownRecheck))
		d.next, _ = later(d.next, "", until, "")
		d.waits = waitsPaused
	}
	// asynq takes back tasks of dead workers only while a server of their queue runs.
	if l.queues.Total().Lost > 0 && !d.opens(now) {
		d.next, d.waits = now, ""
	}
	return d
}

// expressOnly reports whether the large batches wait for longer than a lane would, and small
// ones do not: handlers that hold exports of large batches would be in their way.
func (l workload) expressOnly(now time.Time) bool {
	bulk := l.quota.Closed.At(now)
	return !bulk.Open() && (bulk.Until.IsZero() || bulk.Until.Sub(now) > maxLaneWait) && l.quota.ClosedExpress.At(now).Open()
}

// later puts off the next work where something keeps it from being done before.
func later(next time.Time, waits string, until time.Time, why string) (time.Time, string) {
	if until.After(next) {
		return until, why
	}
	return next, waits
}

// opens reports whether there is something to do now.
func (d demand) opens(now time.Time) bool { return !d.next.IsZero() && !d.next.After(now) }

// keeps reports whether an open lane had better stay open.
func (d demand) keeps(now time.Time) bool {
	return !d.next.IsZero() && d.next.Before(now.Add(maxLaneWait))
}

// settle notes when a customer next wants a lane, or takes it off the list. It
// returns false where the customer was announced since its workload was read.
func (w *Worker) reschedule(ctx context.Context, customer string, l workload, d demand) (bool, error) {
	listed := l.announced.Customer != ""
	switch {
	case !listed && d.next.IsZero():
		return true, nil
	case !listed: // such a customer would be forgotten
		return false, w.ledger.Announce(ctx, customer)
	case d.next.IsZero():
		return w.ledger.Withdraw(ctx, l.announced)
	default:
		return w.ledger.Rest(ctx, l.announced, w.registry.shared(d.next))
	}
}
