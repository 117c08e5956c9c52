package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
)

// A lane is opened for a customer that has something to do now and that this process is to
// serve; see demand. Each open lane closes itself, see keep.

const (
	// lookEvery is how often the list of customers with work is read: announcements
	// wake the worker at once, this is for those it missed, and for those whose time
	// has come.
	scanEvery = time.Second
	// frontOfQueue is how many waiting customers are looked at, beyond the room.
	waitingChecked = 8
	// moveAfter is for how long a lane stays open whose customer is to be served by
	// other processes: they need to learn of it.
	misplacedFor = 6 * time.Second
	// laneTurn is for how long a lane is left open although other customers wait for
	// one.
	minLaneTime = 10 * time.Second
	// crowdedEvery is how often the log says that customers wait for a lane.
	logEvery = time.Minute
)

// waiter is a customer that waits for a free lane.
type waiter struct {
	since time.Time
	ready bool // it is known to have something to do
}

// listen heeds announcements until ctx ends. It waits for nothing else, so that a new export
// does not.
func (w *Worker) listen(ctx context.Context) {
	for a := range w.ledger.Announcements(ctx) {
		w.locked(func() { w.handleAnnouncement(ctx, a) })
	}
}

// heard passes an announcement on to the open lane, or considers opening one. The caller holds mu.
func (w *Worker) handleAnnouncement(ctx context.Context, a store.Announcement) {
	_, closing := w.closing[a.Customer]
	switch l := w.lanes[a.Customer]; {
	case closing:
		w.closing[a.Customer] = true
	case l == nil:
		w.consider(ctx, w.registry.known(), a.Customer)
	case a.Changed:
		select {
		case l.changed <- struct{}{}:
		default:
		}
	default:
		l.announcements++
	}
	if a.Changed && placed(w.registry.known(), w.id, a.Customer, true) {
		spawn(&w.background, w.log, "end of a pause", func() { w.endPause(ctx, a.Customer) })
	}
}

// supervise looks at everybody who wants a lane until ctx ends.
func (w *Worker) supervise(ctx context.Context) {
	tick := time.NewTicker(scanEvery)
	defer tick.Stop()
	for {
		if err := w.scan(ctx); err != nil && ctx.Err() == nil {
			w.log.Error().Err(err).Fields(store.LogFields(err)).Msg("cannot read which customers have work")
		}
		select {
		case <-ctx.Done():
			return
		case <-w.scanRequests:
		case <-tick.C:
		}
	}
}

// lookAgain makes the next look come at once.
func (w *Worker) scanNow() {
	select {
	case w.scanRequests <- struct{}{}:
	default:
	}
}

// locked runs f under mu. A panic in f gives it back: the loop that starts again
// needs it.
func (w *Worker) locked(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// look considers the customers that want a lane and are this process's to serve, those first
// that have waited longest. It is one command.
func (w *Worker) scanDemand(ctx context.Context) error {
	now := time.Now()
	wanted, err := w.ledger.Wanted(ctx, w.registry.shared(now))
	if err != nil {
		return err
	}
	fleet := w.registry.known()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.evictTenants(now)
	w.reportOutages(now)
	w.closeMisplaced(fleet, now)
	waiting := map[string]waiter{}
	var mine []string
	for _, a := range wanted {
		if w.serves(fleet, a.Customer) {
			mine = append(mine, a.Customer)
			if known, waits := w.waiting[a.Customer]; waits {
				waiting[a.Customer] = known
			}
		}
	}
	w.waiting = waiting
	slices.SortStableFunc(mine, func(a, b string) int { return w.waitingSince(a, now).Compare(w.waitingSince(b, now)) })
	seen := min(len(mine), w.freeLanes()+waitingChecked)
	for _, customer := range mine[:seen] {
		w.consider(ctx, fleet, customer)
	}
	for _, customer := range mine[seen:] {
		if _, waits := waiting[customer]; !waits {
			waiting[customer] = waiter{since: now}
		}
	}
	if len(waiting) > 0 && now.Sub(w.loggedWaiting) >= logEvery {
		w.loggedWaiting = now
		w.log.Warn().Int("waiting", len(waiting)).Int("lanes", len(w.lanes)).
			Msg("all lanes of this process are taken, so customers wait; raise ICIMS_EXPORT_MAX_LANES or start another worker")
	}
	return nil
}

func (w *Worker) waitingSince(customer string, now time.Time) time.Time {
	if known, waits := w.waiting[customer]; waits {
		return known.since
	}
	return now
}

// serves reports whether a customer without a lane here is this process's to
// serve. The caller holds mu.
func (w *Worker) serves(fleet store.Fleet, customer string) bool {
	_, closing := w.closing[customer]
	if closing || w.lanes[customer] != nil || w.stopping {
		return false
	}
	if _, known := w.connections[customer]; !known {
		w.refuse(customer, "the customer has no usable connection, neither in the store nor in the connections file")
		return false
	}
	if k := w.tenants[customer]; k != nil && k.breaker.refusal() != nil {
		return false
	}
	return placed(fleet, w.id, customer, false)
}

// refuse tells once why a customer's exports wait; others that can are to serve
// it. The caller holds mu.
func (w *Worker) refuse(customer, why string) {
	if w.refused[customer] != why {
		w.refused[customer] = why
		w.log.Warn().Str("customer", customer).Str("why", why).Msg("exports wait")
	}
}

// consider opens a customer's lane if there is something to do, beside everything else: a
// node of a cluster may hang that has the customer's keys. The caller holds mu.
func (w *Worker) consider(ctx context.Context, fleet store.Fleet, customer string) {
	if _, under := w.considered[customer]; under {
		w.considered[customer] = true
		return
	}
	if !w.serves(fleet, customer) {
		return
	}
	w.considered[customer] = false
	spawn(&w.background, w.log, "opening of a lane", func() {
		ready, expressOnly := false, false
		defer w.locked(func() {
			if w.considered[customer] {
				w.scanNow()
			}
			delete(w.considered, customer)
			if ready {
				w.open(customer, expressOnly, time.Now())
			} else {
				delete(w.waiting, customer)
			}
		})
		now := time.Now()
		load, err := w.readWorkload(ctx, customer)
		if err == nil {
			d := load.demand(now)
			expressOnly = load.expressOnly(now)
			if ready = d.opens(now); !ready && !d.active {
				_, err = w.reschedule(ctx, customer, load, d)
			}
		}
		w.logUnreadable(ctx, customer, err)
	})
}

// unseen logs that cannot read a customer's work, at most once a minute.
func (w *Worker) logUnreadable(ctx context.Context, customer string, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.loggedUnreadable[customer]) >= logEvery {
		w.loggedUnreadable[customer] = now
		message := "cannot read a customer's work"
		if store.Broken(err) {
			message = brokenKeys
		}
		w.log.Error().Err(err).Fields(store.LogFields(err)).Str("customer", customer).Msg(message)
	}
}

// brokenKeys is what the log says of a customer whose keys in Redis are no longer what they
// were.
const brokenKeys = "the customer's keys in Redis are broken, so its exports wait"

// open opens a customer's lane, or makes another one give way. The caller holds mu.
func (w *Worker) open(customer string, expressOnly bool, now time.Time) {
	_, closing := w.closing[customer]
	conn, known := w.connections[customer]
	if closing || !known || w.lanes[customer] != nil || w.stopping {
		return
	}
	if w.freeLanes() == 0 {
		w.waiting[customer] = waiter{w.waitingSince(customer, now), true}
		w.makeRoom(now)
		return
	}
	l, err := w.newLane(conn, expressOnly)
	if err != nil {
		w.refuse(customer, err.Error())
		return
	}
	l.opened, l.rescheduledAt = now, notRescheduled
	w.lanes[customer] = l
	delete(w.refused, customer)
	delete(w.waiting, customer)
	spawnLoop(l.base, &l.background, l.log, "lane", func(ctx context.Context) { w.superviseLane(ctx, l) })
}

// giveWay closes lanes for customers that wait: those that have nothing to do, then those
// that have been open longest, but none before its turn is over. The caller holds mu.
func (w *Worker) makeRoom(now time.Time) {
	n := -len(w.closing)
	for _, known := range w.waiting {
		if known.ready {
			n++
		}
	}
	var lanes []*lane
	for _, l := range w.lanes {
		if !l.idle.IsZero() || now.Sub(l.opened) >= minLaneTime {
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
		w.closeLane(l, "makes room for waiting customers")
	}
}

// moveAway closes lanes whose customers others have been meant to serve for a while. The
// caller holds mu.
func (w *Worker) closeMisplaced(fleet store.Fleet, now time.Time) {
	for customer, l := range w.lanes {
		switch {
		case placed(fleet, w.id, customer, true):
			l.misplaced = time.Time{}
		case l.misplaced.IsZero():
			l.misplaced = now
		case now.Sub(l.misplaced) >= misplacedFor:
			w.closeLane(l, "other workers serve the customer")
		}
	}
}

// goOn makes due at once what was put off until the end of a pause that is over.
func (w *Worker) endPause(ctx context.Context, customer string) {
	switch pause, err := w.ledger.PauseOf(ctx, customer); {
	case err != nil && ctx.Err() == nil:
		w.log.Error().Err(err).Fields(store.LogFields(err)).Str("customer", customer).Msg("cannot read whether a customer is paused")
	case err == nil && pause == nil:
		w.locked(func() {
			if l := w.lanes[customer]; l != nil {
				l.limiter.Resume()
			}
		})
		w.runTwice(customer, ctx.Done())
	}
}

// puttingOff is longer than it takes until an export that is put off is where it waits.
const deferTime = 3 * time.Second

// runTwice is runNow for a customer whose lane stays open: an export that was being put off
// for the old reason gets to the queue's waiting ones a moment after the first time.
func (w *Worker) runTwice(customer string, ended <-chan struct{}) {
	w.runNow(customer)
	select {
	case <-ended:
	case <-time.After(deferTime):
		w.runNow(customer)
	}
}

// runNow makes what the queue keeps for later due now: with another connection
// the reasons for waiting may be gone.
func (w *Worker) runNow(customer string) {
	err := w.queues.RunLater(customer)
	ctx, cancel := context.WithTimeout(context.Background(), ackTime)
	defer cancel()
	if err = errors.Join(err, w.ledger.Hasten(ctx, customer)); err != nil {
		w.log.Warn().Err(err).Fields(store.LogFields(err)).Str("customer", customer).Msg("could not run waiting exports now")
	}
}
