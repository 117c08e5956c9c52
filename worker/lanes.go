package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
)

// A lane opens for a customer that has work now and is placed on this process; see demand. Each
// open lane closes itself; see superviseLane.

const (
	// scanEvery is the interval of scans of the customers with work. Announcements wake the
	// worker immediately; scans catch missed ones and scheduled work.
	scanEvery = time.Second
	// waitingChecked is how many waiting customers are checked beyond the free lanes.
	waitingChecked = 8
	// misplacedFor is how long a lane stays open after its customer was placed on other
	// processes: they need time to learn of it.
	misplacedFor = 6 * time.Second
	// minLaneTime is how long a lane stays open although other customers wait for one.
	minLaneTime = 10 * time.Second
	// logEvery is the interval of repeated warnings.
	logEvery = time.Minute
)

// waiter is a customer waiting for a free lane.
type waiter struct {
	since time.Time
	ready bool // it has work now
}

// listen handles announcements until ctx ends. It does nothing else, so that new exports start
// without delay.
func (w *Worker) listen(ctx context.Context) {
	for a := range w.ledger.Lanes.Announcements(ctx) {
		w.locked(func() { w.handleAnnouncement(ctx, a) })
	}
}

// handleAnnouncement passes an announcement to the open lane, or considers opening one. The
// caller holds mu.
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

// supervise scans the customers that want a lane, until ctx ends.
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

// scanNow requests an immediate scan.
func (w *Worker) scanNow() {
	select {
	case w.scanRequests <- struct{}{}:
	default:
	}
}

// locked runs f under mu. It releases mu if f panics: the restarted loop needs it.
func (w *Worker) locked(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// scanDemand considers the customers that want a lane and are placed on this process, in the
// order of their waiting time. It takes one Redis command.
func (w *Worker) scanDemand(ctx context.Context) error {
	now := time.Now()
	wanted, err := w.ledger.Lanes.Wanted(ctx, w.registry.shared(now))
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

// serves reports whether this process has to open a lane for a customer. The caller holds mu.
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

// refuse logs once why a customer's exports wait. Other workers that can serve the customer do.
// The caller holds mu.
func (w *Worker) refuse(customer, why string) {
	if w.refused[customer] != why {
		w.refused[customer] = why
		w.log.Warn().Str("customer", customer).Str("why", why).Msg("exports wait")
	}
}

// consider opens a customer's lane if it has work. It runs in the background, since the cluster
// node with the customer's keys may hang. The caller holds mu.
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

// logUnreadable logs that a customer's work cannot be read, at most once a minute.
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

// brokenKeys is logged for a customer whose keys in Redis are broken, see store.Broken.
const brokenKeys = "the customer's keys in Redis are broken, so its exports wait"

// open opens a customer's lane. If none is free, it closes another one first. The caller holds
// mu.
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

// makeRoom closes lanes for waiting customers: idle lanes first, then the ones open longest. No
// busy lane closes before minLaneTime. The caller holds mu.
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

// closeMisplaced closes lanes whose customers have been placed on other workers for a while. The
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

// endPause runs the exports that waited for a pause, if the pause is over.
func (w *Worker) endPause(ctx context.Context, customer string) {
	switch pause, err := w.ledger.Lanes.PauseOf(ctx, customer); {
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

// deferTime is longer than deferring an export takes.
const deferTime = 3 * time.Second

// runTwice calls runNow twice for a customer whose lane stays open: an export that was just being
// deferred for the old reason becomes scheduled shortly after the first call.
func (w *Worker) runTwice(customer string, ended <-chan struct{}) {
	w.runNow(customer)
	select {
	case <-ended:
	case <-time.After(deferTime):
		w.runNow(customer)
	}
}

// runNow makes the customer's scheduled exports due now: with another connection the reason for
// waiting may be gone.
func (w *Worker) runNow(customer string) {
	err := w.queues.RunLater(customer)
	ctx, cancel := context.WithTimeout(context.Background(), ackTime)
	defer cancel()
	if err = errors.Join(err, w.ledger.Lanes.Wake(ctx, customer)); err != nil {
		w.log.Warn().Err(err).Fields(store.LogFields(err)).Str("customer", customer).Msg("could not run waiting exports now")
	}
}
