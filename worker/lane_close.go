package worker

import (
	"context"
	"time"

	"github.com/seekout/icims-export/store"
)

const (
	// laneCheck is how often a lane checks whether it has to close.
	laneCheck   = time.Second
	breakerOpen = "the circuit breaker is open"
	otherQueues = "the reserve for small batches begins or ends"
	// recoveredWithin is the time in which asynq recovers the tasks of dead workers.
	recoveredWithin = time.Minute
	// idleWhileActive is how long a lane stays open while exports of the customer are active:
	// they may be its own. asynq delivers no task while its heartbeat waits for a hanging node.
	idleWhileActive = 30 * time.Second
	// notRescheduled marks a lane whose customer still wants one when the lane closes.
	notRescheduled = -1
)

// superviseLane closes a lane once it has no work or must not make calls.
func (w *Worker) superviseLane(ctx context.Context, l *lane) {
	tick := time.NewTicker(laneCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.changed:
		case <-tick.C:
			if !l.counts.idle() {
				w.locked(func() { l.idle = time.Time{} })
				continue
			}
		}
		w.logUnreadable(ctx, l.conn.Customer, w.checkLane(ctx, l))
	}
}

// checkLane closes an open lane that has no work, and records when its customer next wants one.
func (w *Worker) checkLane(ctx context.Context, l *lane) error {
	customer, now := l.conn.Customer, time.Now()
	var announcements int
	open := false
	w.locked(func() { announcements, open = l.announcements, w.lanes[customer] == l })
	if !open {
		return nil
	}
	started := l.counts.started.Load()
	load, err := w.readWorkload(ctx, customer)
	if err != nil {
		return err
	}
	l.limiter.OpenEarlier(load.quota.Closed.Quota(), load.quota.ClosedExpress.Quota())
	if now.Sub(l.opened) > recoveredWithin {
		load.queues.ForgetLost()
	}
	d := load.demand(now)
	why, closes := w.shouldClose(l, d, now)
	if !closes && load.expressOnly(now) != l.expressOnly {
		why, closes, d.active = otherQueues, true, true // the customer still wants a lane
	}
	if !closes {
		return nil
	}
	paused := d.waits == waitsPaused
	// Active exports may return to the queue at any time, and other workers do not share this
	// process's breaker.
	reschedules := !d.active && why != breakerOpen
	if reschedules {
		rescheduled, err := w.reschedule(ctx, customer, load, d)
		if err != nil || !rescheduled && !paused {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lanes[customer] != l || l.announcements != announcements && !paused {
		return nil
	}
	if reschedules {
		l.rescheduledAt = started
	}
	w.closeLane(l, why)
	return nil
}

// shouldClose decides whether an open lane has to close, and why.
func (w *Worker) shouldClose(l *lane, d demand, now time.Time) (why string, yes bool) {
	if d.waits == waitsPaused {
		return waitsPaused, true // exports that have begun finish
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	broken := l.breaker.refusal() != nil
	if !l.counts.idle() || d.keeps(now) && !broken {
		l.idle = time.Time{}
		return "", false
	}
	if l.idle.IsZero() {
		l.idle = now
	}
	switch idleFor := now.Sub(l.idle); {
	case broken:
		return breakerOpen, idleFor >= maxLaneWait
	case d.waits != "":
		return d.waits, true
	case d.active:
		return "idle", idleFor >= max(w.settings.LaneIdle, idleWhileActive)
	default:
		return "idle", idleFor >= w.settings.LaneIdle
	}
}

// closeLane closes a lane in the background, since that may take as long as a call. The caller
// holds mu.
func (w *Worker) closeLane(l *lane, why string) {
	customer := l.conn.Customer
	delete(w.lanes, customer)
	w.closing[customer] = false
	spawn(&w.background, w.log, "closing of a lane", func() {
		defer w.locked(func() {
			if w.closing[customer] || len(w.waiting) > 0 || why == connectionChanged || why == otherQueues {
				w.scanNow()
			}
			delete(w.closing, customer)
		})
		held := !l.counts.idle()
		l.close(why)
		// Exports that returned to the queue after the reschedule are due now.
		if held || l.rescheduledAt != notRescheduled && l.rescheduledAt != l.counts.started.Load() {
			w.announceWork(customer)
		}
		if why == connectionChanged {
			w.runNow(customer)
		}
	})
}

// announceWork announces a customer whose closed lane left work.
func (w *Worker) announceWork(customer string) {
	ctx, cancel := context.WithTimeout(context.Background(), ackTime)
	defer cancel()
	if err := w.ledger.Lanes.Announce(ctx, customer); err != nil {
		w.log.Warn().Err(err).Fields(store.LogFields(err)).Str("customer", customer).Msg("could not announce the remaining work of a lane")
	}
}
