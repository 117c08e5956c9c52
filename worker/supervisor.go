package worker

import (
	"context"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
)

// The supervisor opens lanes for customers that want one and that this process is
// to serve, and closes them when there is nothing to do for them.

const (
	// lookEvery is how often the list of customers with work is read: announcements
	// wake the worker at once, this is for those it missed, and for those whose time
	// has come.
	lookEvery = time.Second
	// frontOfQueue is how many waiting customers are looked at, beyond the room.
	frontOfQueue = 8
	// moveAfter is for how long a lane stays open whose customer is to be served by
	// other processes: they need to learn of it.
	moveAfter = 6 * time.Second
)

// listen heeds announcements until ctx ends. It does nothing else, so that a new
// export waits for no look.
func (w *Worker) listen(ctx context.Context) {
	announced := w.ledger.Announcements(ctx)
	for a := range announced {
		heard := []store.Announcement{a}
		for more := true; more; {
			select {
			case a, ok := <-announced:
				more = ok
				if ok {
					heard = append(heard, a)
				}
			default:
				more = false
			}
		}
		w.hear(ctx, heard)
	}
}

// hear opens lanes for announced customers, and looks after open ones.
func (w *Worker) hear(ctx context.Context, heard []store.Announcement) {
	customers := w.unopened(heard)
	w.tend(ctx, customers)
	w.goOn(ctx, slices.DeleteFunc(customers, func(c string) bool {
		return !slices.Contains(heard, store.Announcement{Customer: c, Changed: true})
	}))
}

// unopened tells the open lanes of announced customers, and returns the customers to
// look at.
func (w *Worker) unopened(heard []store.Announcement) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var customers []string
	for _, a := range heard {
		if l := w.lanes[a.Customer]; l != nil && !a.Changed {
			l.heard++
			continue
		}
		if _, closing := w.closing[a.Customer]; closing {
			w.closing[a.Customer] = true
			continue
		}
		customers = append(customers, a.Customer)
	}
	slices.Sort(customers)
	return slices.Compact(customers)
}

// goOn makes due at once what was put off until the end of a pause that is over.
func (w *Worker) goOn(ctx context.Context, changed []string) {
	fleet := w.registry.known()
	for _, c := range changed {
		if !placed(fleet, w.id, c, true) {
			continue
		}
		switch pause, err := w.ledger.PauseOf(ctx, c); {
		case err != nil && ctx.Err() == nil:
			w.log.Error().Err(err).Fields(store.LogFields(err)).Str("customer", c).Msg("cannot see whether a customer is paused")
		case err == nil && pause == nil:
			w.locked(func() {
				if l := w.lanes[c]; l != nil {
					l.limiter.Resume()
				}
				if !w.stopping {
					spawn(&w.retiring, w.log, "supervisor", func() { w.hurryTwice(c, ctx.Done()) })
				}
			})
		}
	}
}

// supervise looks at everybody who wants a lane, or has one, until ctx ends.
func (w *Worker) supervise(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := w.noted(ctx); err != nil && ctx.Err() == nil {
			w.log.Error().Err(err).Fields(store.LogFields(err)).Msg("cannot see who has work")
		}
		select {
		case <-ctx.Done():
			return
		case <-w.again:
		case <-tick.C:
		}
	}
}

// locked runs f under mu. A panic in f gives it back: the loop that starts again
// needs it.
func (w *Worker) locked(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// lookAgain makes the next look come at once.
func (w *Worker) lookAgain() {
	select {
	case w.again <- struct{}{}:
	default:
	}
}

// look opens lanes for the customers that have work and closes those that have
// nothing to do. With no lane open and nobody waiting it is one command.
func (w *Worker) look(ctx context.Context) error {
	now := time.Now()
	wanted, err := w.ledger.Wanted(ctx, w.registry.shared(now))
	if err != nil {
		return err
	}
	fleet := w.registry.known()
	var (
		candidates, unseen []string
		seen               int
	)
	views := map[string]view{}
	w.locked(func() {
		w.forget(now)
		w.tellTroubles(now)
		candidates = w.candidates(fleet, wanted, now)
		// Those beyond the front of the queue wait unseen.
		seen = min(len(candidates), w.room()+frontOfQueue)
		unseen = candidates[seen:]
		for _, c := range candidates[:seen] {
			views[c] = w.glance(c, nil)
		}
		w.quiet(fleet, now, views)
	})
	if err := w.read(ctx, views); err != nil {
		return err
	}

	var ready []string
	for _, c := range candidates[:seen] {
		v := views[c]
		n := v.need(now)
		switch {
		case n.opens(now):
			ready = append(ready, c)
		case !n.elsewhere:
			if _, err := w.settle(ctx, c, v, n); err != nil {
				return err
			}
		}
	}
	for c, v := range views {
		if err := w.attend(ctx, c, v, now); err != nil {
			return err
		}
	}
	w.openAll(ready, unseen, now)
	return nil
}

// tend opens lanes for those customers that have something to do and are this
// process's to serve, and closes open ones that must make no calls.
func (w *Worker) tend(ctx context.Context, customers []string) {
	now := time.Now()
	fleet := w.registry.known()
	views := map[string]view{}
	w.locked(func() {
		for _, c := range customers {
			if l := w.lanes[c]; l != nil || w.serves(fleet, c) {
				views[c] = w.glance(c, l)
			}
		}
	})
	if len(views) == 0 {
		return
	}
	if err := w.read(ctx, views); err != nil {
		if ctx.Err() == nil {
			w.log.Error().Err(err).Fields(store.LogFields(err)).Msg("cannot see what announced customers need")
		}
		return
	}
	for c, v := range views {
		if v.lane != nil {
			if err := w.attend(ctx, c, v, now); err != nil && ctx.Err() == nil {
				w.log.Error().Err(err).Fields(store.LogFields(err)).Str("customer", c).Msg("cannot look after a lane")
			}
		} else if n := v.need(now); n.opens(now) {
			w.locked(func() {
				if !w.open(c, now) {
					w.lookAgain() // to take its turn
				}
			})
		}
	}
}

// candidates are customers that want a lane and are this process's to serve, those
// first that have waited longest. The caller holds mu.
func (w *Worker) candidates(fleet store.Fleet, wanted []store.Announced, now time.Time) []string {
	var list []string
	for _, a := range wanted {
		if w.serves(fleet, a.Customer) {
			list = append(list, a.Customer)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int {
		return w.waitingSince(a, now).Compare(w.waitingSince(b, now))
	})
	return list
}

func (w *Worker) waitingSince(customer string, now time.Time) time.Time {
	if since, waits := w.waiting[customer]; waits {
		return since
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
		w.refuse(customer, "there is no usable connection of the customer, neither in the store nor in the connections file")
		return false
	}
	if k := w.learned[customer]; k != nil && k.breaker.refusal() != nil {
		return false
	}
	return placed(fleet, w.id, customer, false)
}

// quiet adds the open lanes in which nothing is being worked on to those to be
// looked at, and closes those whose customers others are to serve. The caller
// holds mu.
func (w *Worker) quiet(fleet store.Fleet, now time.Time, views map[string]view) {
	for customer, l := range w.lanes {
		switch {
		case placed(fleet, w.id, customer, true):
			l.misplaced = time.Time{}
		case l.misplaced.IsZero():
			l.misplaced = now
		case now.Sub(l.misplaced) >= moveAfter:
			w.retire(l, "others serve the customer")
			continue
		}
		if l.hands.empty() {
			views[customer] = w.glance(customer, l)
		} else {
			l.idle = time.Time{}
		}
	}
}

// glance begins a view, with what this process knows before it asks Redis. The
// caller holds mu.
func (w *Worker) glance(customer string, l *lane) view {
	v := view{lane: l}
	if l != nil {
		v.taken, v.heard = l.hands.taken.Load(), l.heard
	}
	if conn, known := w.connections[customer]; known {
		v.caller = store.Caller{Credentials: w.ledger.Keys().CredentialsHash(conn), Limits: conn.Limits}
	}
	return v
}

// attend closes an open lane that has nothing to do, and notes when its customer
// next wants one.
func (w *Worker) attend(ctx context.Context, customer string, v view, now time.Time) error {
	l := v.lane
	if l == nil {
		return nil
	}
	l.limiter.Believe(v.standing.Closed.Quota(), v.standing.ClosedExpress.Quota())
	n := v.need(now)
	why, closes := w.closes(l, n, now)
	if !closes {
		return nil
	}
	paused := n.waits == waitsPaused
	// Where others work on something it may come back at any time; and whether this
	// process's breaker is open is nothing to others.
	rests := !n.elsewhere && why != breakerOpen
	if rests {
		settled, err := w.settle(ctx, customer, v, n)
		if err != nil || !settled && !paused {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lanes[customer] != l || l.heard != v.heard && !paused {
		return nil
	}
	if rests {
		l.settled = v.taken
	}
	w.retire(l, why)
	return nil
}

const breakerOpen = "the circuit breaker is open"

// closes decides whether an open lane is to close, and says why.
func (w *Worker) closes(l *lane, n need, now time.Time) (why string, yes bool) {
	if n.waits == waitsPaused {
		return waitsPaused, true // what is in the middle of its calls finishes
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	broken := l.breaker.refusal() != nil
	if !l.hands.empty() || n.keeps(now) && !broken {
		l.idle = time.Time{}
		return "", false
	}
	if l.idle.IsZero() {
		l.idle = now
	}
	switch rested := now.Sub(l.idle); {
	case broken:
		return breakerOpen, rested >= worthWaiting
	case n.waits != "":
		return n.waits, true
	default:
		return "idle", rested >= w.settings.LaneIdle
	}
}

// settle notes when a customer next wants a lane, or takes it off the list. It
// returns false where the customer was announced since it was looked at.
func (w *Worker) settle(ctx context.Context, customer string, v view, n need) (bool, error) {
	listed := v.announced.Customer != ""
	switch {
	case !listed && n.next.IsZero():
		return true, nil
	case !listed: // such a customer would be forgotten
		return false, w.ledger.Announce(ctx, customer)
	case n.next.IsZero():
		return w.ledger.Withdraw(ctx, v.announced)
	default:
		return w.ledger.Rest(ctx, v.announced, w.registry.shared(n.next))
	}
}
