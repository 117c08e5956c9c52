package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
)

const (
	// laneTurn is for how long a lane is left open although other customers wait for
	// one.
	laneTurn = 10 * time.Second
	// crowdedEvery is how often the log says that customers wait for a lane.
	crowdedEvery = time.Minute
)

// openAll opens lanes for customers that are ready, as far as there is room, and
// makes others give way to the rest.
func (w *Worker) openAll(ready, unseen []string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(ready) > 0 && w.room() > 0 {
		w.open(ready[0], now)
		ready = ready[1:]
	}
	waiting := make(map[string]time.Time, len(ready)+len(unseen))
	for _, c := range slices.Concat(ready, unseen) {
		waiting[c] = w.waitingSince(c, now)
	}
	w.waiting = waiting
	if len(waiting) == 0 {
		return
	}
	if now.Sub(w.crowded) >= crowdedEvery {
		w.crowded = now
		w.log.Warn().Int("waiting", len(waiting)).Int("lanes", len(w.lanes)).
			Msg("all lanes of this process are taken, so customers take turns; raise ICIMS_EXPORT_MAX_LANES or start another worker")
	}
	w.giveWay(len(ready)-len(w.closing), now)
}

// giveWay closes up to n lanes for customers that wait: those that have nothing to
// do, then those that have been open longest, but none before its turn is over.
// The caller holds mu.
func (w *Worker) giveWay(n int, now time.Time) {
	var lanes []*lane
	for _, l := range w.lanes {
		if !l.idle.IsZero() || now.Sub(l.opened) >= laneTurn {
			lanes = append(lanes, l)
		}
	}
	slices.SortFunc(lanes, func(a, b *lane) int {
		if a.idle.IsZero() != b.idle.IsZero() {
			if a.idle.IsZero() {
				return 1
			}
			return -1
		}
		return a.opened.Compare(b.opened)
	})
	for _, l := range lanes[:min(max(n, 0), len(lanes))] {
		w.retire(l, "gives way to customers that wait")
	}
}

// open opens a customer's lane; false where there is no room. The caller holds mu.
func (w *Worker) open(customer string, now time.Time) bool {
	_, closing := w.closing[customer]
	conn, known := w.connections[customer]
	if closing || !known || w.lanes[customer] != nil || w.stopping {
		return true
	}
	if w.room() == 0 {
		return false
	}
	l, err := w.newLane(conn)
	if err != nil {
		w.refuse(customer, err.Error())
		return true
	}
	l.opened, l.settled = now, unsettled
	w.lanes[customer] = l
	delete(w.refused, customer)
	delete(w.waiting, customer)
	return true
}

// refuse tells once why a customer's exports wait; others that can are to serve
// it. The caller holds mu.
func (w *Worker) refuse(customer, why string) {
	if w.refused[customer] != why {
		w.refused[customer] = why
		w.log.Warn().Str("customer", customer).Str("why", why).Msg("exports wait")
	}
}

// unsettled marks a lane whose customer goes on wanting one when it closes.
const unsettled = -1

// retire closes a lane beside everything else, since it may take as long as a
// call. The caller holds mu.
func (w *Worker) retire(l *lane, why string) {
	customer := l.conn.Customer
	delete(w.lanes, customer)
	w.closing[customer] = false
	spawn(&w.retiring, w.log, "closing of a lane", func() {
		held := !l.hands.empty()
		l.close(why)
		// Exports that were handed back since the customer was put to rest are due now.
		if held || l.settled != unsettled && l.settled != l.hands.taken.Load() {
			w.wakeOthers(customer)
		}
		if why == connectionChanged {
			w.hurry(customer)
		}
		var announced, waiting bool
		w.locked(func() {
			announced, waiting = w.closing[customer], len(w.waiting) > 0
			delete(w.closing, customer)
		})
		if announced || waiting || why == connectionChanged {
			w.lookAgain()
		}
	})
}

// wakeOthers announces a customer of whom a lane that closed has left work.
func (w *Worker) wakeOthers(customer string) {
	ctx, cancel := context.WithTimeout(context.Background(), ackTime)
	defer cancel()
	if err := w.ledger.Announce(ctx, customer); err != nil {
		w.log.Warn().Err(err).Fields(store.LogFields(err)).Str("customer", customer).Msg("could not announce what a lane has left")
	}
}

// puttingOff is longer than it takes until an export that is put off is where it waits.
const puttingOff = 3 * time.Second

// hurryTwice hurries a customer whose lane stays open: an export that was being put off
// for the old reason gets to the queue's waiting ones a moment after the first look.
func (w *Worker) hurryTwice(customer string, ended <-chan struct{}) {
	w.hurry(customer)
	select {
	case <-ended:
	case <-time.After(puttingOff):
		w.hurry(customer)
	}
}

// hurry makes what the queue keeps for later due now: with another connection
// the reasons for waiting may be gone.
func (w *Worker) hurry(customer string) {
	err := w.queues.RunLater(customer)
	ctx, cancel := context.WithTimeout(context.Background(), ackTime)
	defer cancel()
	if err = errors.Join(err, w.ledger.Hasten(ctx, customer)); err != nil {
		w.log.Warn().Err(err).Fields(store.LogFields(err)).Str("customer", customer).Msg("exports that wait could not be hurried up")
	}
}
