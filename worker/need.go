package worker

import (
	"cmp"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// view is all that decides whether a customer needs a lane.
type view struct {
	// Of an open lane: how many exports it has taken, and announcements it has heard.
	lane  *lane
	taken int64
	heard int

	caller    store.Caller    // who would call from here
	announced store.Announced // zero: not in the list
	queues    tasks.QueueStates
	standing  store.Standing
	live      int64 // moving exports
}

// need is what a customer wants of a lane.
type need struct {
	// next is when a lane has something to do; zero: nothing is to come.
	next time.Time
	// waits says what work waits for that has no time of its own; empty: nothing.
	waits string
	// elsewhere: something is being worked on, which may come back at any time.
	elsewhere bool
}

const (
	// worthWaiting is how far ahead the next work may be for an open lane to wait
	// for it.
	worthWaiting = 5 * time.Second
	// ahead is how long before work is due its lane opens: asynq looks for what is
	// due once a second.
	ahead = time.Second
	// pauseLook is when a queue that is paused in asynq's web UI is looked at again;
	// no lane is kept open for it.
	pauseLook = worthWaiting
	// unknownLook is when work is looked at again of which nobody knows when it
	// goes on.
	unknownLook = 10 * time.Minute
)

// The reasons why work waits, as the log tells them.
const (
	waitsPaused     = "paused"
	waitsQueuePause = "paused in the queue's web UI"
)

// need tells it for a time by this process's clock, as asynq's times and the ends
// of closures are.
func (v view) need(now time.Time) need {
	n := need{elsewhere: v.queues.Total().Active > 0}
	for _, q := range []struct {
		tasks.QueueState
		closed store.Closure
	}{{v.queues.Normal, v.standing.Closed}, {v.queues.Large, v.standing.Closed}, {v.queues.Express, v.standing.ClosedExpress}} {
		next, waits := q.Next, ""
		if !next.IsZero() {
			next = next.Add(-ahead)
		}
		if q.Pending > 0 {
			next = now
		}
		if next.IsZero() {
			continue
		}
		if closed := q.closed.At(now); !closed.Open() {
			next, waits = later(next, waits, cmp.Or(closed.Until, now.Add(unknownLook)), string(closed.Reason))
		}
		if q.Paused {
			next, waits = later(next, waits, now.Add(pauseLook), waitsQueuePause)
		}
		if n.next.IsZero() || next.Before(n.next) {
			n.next, n.waits = next, waits
		}
	}
	// asynq takes back tasks of dead workers only while a server of their queue runs.
	if n.next.IsZero() && v.queues.Total().Lost > 0 {
		n.next = now
	}
	// Exports without a task are the sweep's: it announces them.
	if n.next.IsZero() && v.live > 0 {
		n.next = now.Add(unknownLook)
	}
	if v.standing.Pause != nil && !n.next.IsZero() {
		until := cmp.Or(v.standing.Pause.Until, now.Add(unknownLook))
		n.next, _ = later(n.next, "", until, "")
		n.waits = waitsPaused
	}
	return n
}

// later puts off the next work where something keeps it from being done before.
func later(next time.Time, waits string, until time.Time, why string) (time.Time, string) {
	if until.After(next) {
		return until, why
	}
	return next, waits
}

// opens reports whether there is something to do now.
func (n need) opens(now time.Time) bool { return !n.next.IsZero() && !n.next.After(now) }

// keeps reports whether an open lane had better stay open.
func (n need) keeps(now time.Time) bool {
	return !n.next.IsZero() && n.next.Before(now.Add(worthWaiting))
}
