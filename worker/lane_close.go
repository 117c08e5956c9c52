package worker

import (
	"context"
	"time"

	"github.com/seekout/icims-export/store"
)

const (
	// laneLook is how often a lane looks whether it is to close.
	laneCheck   = time.Second
	breakerOpen = "the circuit breaker is open"
	otherQueues = "the reserve for small batches begins or ends"
	// recoveredWithin is within how long asynq has taken back what dead workers left.
	recoveredWithin = time.Minute
	// takenSoon is for how long a lane stays open while somebody works on the customer's
	// exports: it may be this lane. asynq hands over no task while its heartbeat waits for a
	// node that hangs.
	idleWhileActive = 30 * time.Second
	// unsettled marks a lane whose customer goes on wanting one when it closes.
	notRescheduled = -1
)

// keep closes a lane once it has nothing to do or must make no calls.
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

// attend closes an open lane that has nothing to do, and notes when its customer
// next wants one.
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
		why, closes, d.active = otherQueues, true, true // the customer goes on wanting a lane
	}
	if !closes {
		return nil
	}
	paused := d.waits == waitsPaused
	// Where others work on something it may come back at any time; and whether this
	// process's breaker is open is nothing to others.
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

// closes decides whether an open lane is to close, and says why.
func (w *Worker) shouldClose(l *lane, d demand, now time.Time) (why string, yes bool) {
	if d.waits == waitsPaused {
		return waitsPaused, true // what is in the middle of its calls finishes
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

// retire closes a lane beside everything else, since it may take as long as a
// call. The caller holds mu.
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
		// Exports that were handed back since the customer was put to rest are due now.
		if held || l.rescheduledAt != notRescheduled && l.rescheduledAt != l.counts.started.Load() {
			w.wakeOthers(customer)
		}
		if why == connectionChanged {
			w.runNow(customer)
		}
	})
}

// wakeOthers announces a customer whose closed lane left work.
func (w *Worker) wakeOthers(customer string) {
	ctx, cancel := context.WithTimeout(context.Background(), ackTime)
	defer cancel()
	if err := w.ledger.Announce(ctx, customer); err != nil {
		w.log.Warn().Err(err).Fields(store.LogFields(err)).Str("customer", customer).Msg("could not announce the remaining work of a lane")
	}
}
