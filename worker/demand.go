package worker

import (
	"cmp"
	"context"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// workload is a customer's work, and what prevents it.
type workload struct {
	announced store.Announced // zero: not in the list of lanes
	queues    tasks.QueueStates
	quota     store.QuotaStatus
	live      int64 // exports that have not ended
}

// readWithin bounds the read of a customer's workload: a cluster node may hang.
const readWithin = 3 * time.Second

// readWorkload reads a customer's workload. It reads the list of lanes before the queues. Work
// that is added in between is announced later, which Rest and Withdraw detect.
func (w *Worker) readWorkload(ctx context.Context, customer string) (l workload, err error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	var caller store.Caller
	w.locked(func() {
		if conn, known := w.connections[customer]; known {
			caller = store.Caller{Credentials: w.ledger.Keys().CredentialsHash(conn), Limits: conn.Limits}
		}
	})
	announced, err := w.ledger.Lanes.AnnouncedOf(ctx, customer)
	if err != nil {
		return l, err
	}
	if l.live, err = w.ledger.Recovery.Live(ctx, customer); err != nil {
		return l, err
	}
	queues, err := tasks.ReadQueueStates(ctx, w.redis, customer)
	if err != nil {
		return l, err
	}
	quota, err := w.ledger.QuotaStatusesFor(ctx, []string{customer}, []store.Caller{caller})
	if err != nil {
		return l, err
	}
	l.announced, l.queues, l.quota = announced[customer], queues[0], quota[0]
	return l, nil
}

// demand says when a customer needs a lane.
type demand struct {
	// next is when a lane has work; zero: no work is scheduled.
	next time.Time
	// waits is why work waits without a time of its own; empty: it does not.
	waits string
	// active: exports are running and may return to the queue at any time.
	active bool
}

const (
	// maxLaneWait is how long an open lane waits for the next work.
	maxLaneWait = 5 * time.Second
	// openAhead is how long before work is due its lane opens: asynq looks for due tasks once a
	// second.
	openAhead = time.Second
	// pausedRecheck is when a queue that is paused in asynq's web UI is checked again. No lane is
	// kept open for it.
	pausedRecheck = maxLaneWait
	// unknownRecheck is when work without a known time is checked again.
	unknownRecheck = 10 * time.Minute
)

// Reasons for waiting in the log.
const (
	waitsPaused     = "paused"
	waitsQueuePause = "paused in the queue's web UI"
)

// demand computes the demand. now is by this process's clock, like asynq's times and the ends of
// closures.
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
	// The sweep re-enqueues exports without a task and announces them.
	if d.next.IsZero() && l.live > 0 {
		d.next = now.Add(unknownRecheck)
	}
	if l.quota.Pause != nil && !d.next.IsZero() {
		until := cmp.Or(l.quota.Pause.Until, now.Add(unknownRecheck))
		d.next, _ = later(d.next, "", until, "")
		d.waits = waitsPaused
	}
	// asynq recovers tasks of dead workers only while a server of their queue runs.
	if l.queues.Total().Lost > 0 && !d.opens(now) {
		d.next, d.waits = now, ""
	}
	return d
}

// expressOnly reports whether bulk calls are closed for longer than a lane waits, and express
// calls are not. Handlers that hold exports of large batches would block the small ones.
func (l workload) expressOnly(now time.Time) bool {
	bulk := l.quota.Closed.At(now)
	return !bulk.Open() && (bulk.Until.IsZero() || bulk.Until.Sub(now) > maxLaneWait) && l.quota.ClosedExpress.At(now).Open()
}

// later postpones the next work if something prevents it until a later time.
func later(next time.Time, waits string, until time.Time, why string) (time.Time, string) {
	if until.After(next) {
		return until, why
	}
	return next, waits
}

// opens reports whether there is work now.
func (d demand) opens(now time.Time) bool { return !d.next.IsZero() && !d.next.After(now) }

// keeps reports whether an open lane should stay open.
func (d demand) keeps(now time.Time) bool {
	return !d.next.IsZero() && d.next.Before(now.Add(maxLaneWait))
}

// reschedule records when a customer next wants a lane, or removes it from the list. It returns
// false if the customer was announced after its workload was read.
func (w *Worker) reschedule(ctx context.Context, customer string, l workload, d demand) (bool, error) {
	listed := l.announced.Customer != ""
	switch {
	case !listed && d.next.IsZero():
		return true, nil
	case !listed: // otherwise the customer would be forgotten
		return false, w.ledger.Lanes.Announce(ctx, customer)
	case d.next.IsZero():
		return w.ledger.Lanes.Withdraw(ctx, l.announced)
	default:
		return w.ledger.Lanes.Postpone(ctx, l.announced, w.registry.shared(d.next))
	}
}
