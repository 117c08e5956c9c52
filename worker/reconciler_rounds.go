package worker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

const (
	// visitWithin is within how long each customer with work is looked at.
	visitWithin = 10 * time.Second
	// visitsAtOnce is how many customers are reconciled side by side: most of it is
	// waiting for Redis.
	visitsAtOnce = 4
	// glancePage is how many customers are looked at in one pipeline.
	glancePage = 200
	// strollStep is how many customers without work are looked at in a round: their
	// announcement may have been lost. Each costs one command.
	strollStep = 5
	// alarmFor is for how long after a worker fell silent all customers with work are
	// looked at in each round.
	alarmFor = 30 * time.Second
	// alarmedPages is rounds.pages then.
	alarmedPages = 20
)

// rounds is how far the reconciler has come with its customers.
type rounds struct {
	led  bool     // in the last round as well
	next string   // customer with work at whom the next round begins
	all  []string // customers to stroll past
	at   int      // how far that has come
	// unheard had work in the last round without being listed: an export that was just
	// accepted is announced a moment later.
	unheard map[string]bool
	// pages bounds what is read of one customer's exports to find those that dead
	// workers hold.
	pages int
}

// round looks at some of the customers, if this process leads.
func (r *reconciler) round(ctx context.Context) error {
	leads, err := r.lead(ctx)
	if err != nil || !leads {
		r.rounds.led, r.rounds.unheard = false, nil
		r.sweeps = sweeps{}
		clear(r.suspicions)
		clear(r.silent)
		return err
	}
	listed, err := r.ledger.Announced(ctx)
	if err != nil {
		return err
	}
	busy := make([]string, len(listed))
	for i, a := range listed {
		busy[i] = a.Customer
	}
	slices.Sort(busy)
	fleet := r.registry.known()
	alarmed := r.alarmed(fleet)
	r.rounds.pages = 1
	if alarmed {
		r.rounds.pages = alarmedPages
	}
	visits := r.rounds.visits(busy, alarmed)
	maps.DeleteFunc(r.suspicions, func(c string, _ suspicion) bool {
		_, found := slices.BinarySearch(busy, c)
		return !found
	})
	if err := r.visit(ctx, visits); err != nil {
		return err
	}
	err = errors.Join(r.reverify(ctx, fleet.Now), r.stroll(ctx, busy), r.ledger.Bury(ctx, fleet), r.sweep(ctx, time.Now()))
	r.rounds.led = true
	return err
}

// alarmed reports whether some worker has fallen silent lately.
func (r *reconciler) alarmed(fleet store.Fleet) bool {
	for _, p := range fleet.Workers {
		if !fleet.Lives(p.Worker) && fleet.Now.Sub(p.Beat) < alarmFor {
			return true
		}
	}
	for worker, since := range r.silent {
		if fleet.Lives(worker) || fleet.Now.Sub(since) > alarmFor {
			delete(r.silent, worker)
		}
	}
	return len(r.silent) > 0
}

// visits chooses the customers with work to look at in this round: all in turn,
// or all at once. The list is sorted.
func (s *rounds) visits(busy []string, all bool) []string {
	// Few are no burden.
	n := max(len(busy)*int(reconcileEvery)/int(visitWithin)+1, glancePage)
	if all || n >= len(busy) {
		return busy
	}
	from, _ := slices.BinarySearch(busy, s.next)
	chosen := slices.Concat(busy[from:], busy[:from])
	s.next = chosen[n]
	return chosen[:n]
}

// visit reconciles customers, those alone where a glance shows something.
func (r *reconciler) visit(ctx context.Context, customers []string) error {
	var (
		visiting sync.WaitGroup
		slots    = make(chan struct{}, visitsAtOnce)
		led      = time.Now()
	)
	defer visiting.Wait()
	for page := range slices.Chunk(customers, glancePage) {
		now := r.registry.shared(time.Now())
		seen, err := surveyed(ctx, r.survey, page, func(ctx context.Context, page []string) ([]glimpse, error) {
			return r.glance(ctx, now, page)
		})
		if err != nil {
			return err
		}
		for _, customer := range page {
			g, visible := seen[customer]
			if !visible {
				continue
			}
			// A round over many customers takes longer than the lead lasts.
			if time.Since(led) > reconcileEvery {
				if leads, err := r.lead(ctx); err != nil || !leads {
					return err
				}
				led = time.Now()
			}
			slots <- struct{}{}
			spawn(&visiting, r.log, "reconciler", func() {
				defer func() { <-slots }()
				// The others are not to wait for this one.
				if err := r.customer(ctx, customer, now, g); err != nil && ctx.Err() == nil {
					r.log.Error().Err(err).Fields(store.LogFields(err)).Str("customer", customer).Msg("reconciling failed")
				}
			})
		}
	}
	return nil
}

// glimpse tells whether there is something to see of a customer.
type glimpse struct {
	moving store.Moves
	active int // tasks that are being handled, by asynq's count
}

func (r *reconciler) glance(ctx context.Context, now time.Time, customers []string) ([]glimpse, error) {
	moving, err := r.ledger.Glance(ctx, now.Add(-overdueBy), now, now.Add(r.lease), customers...)
	if err != nil {
		return nil, err
	}
	active, err := tasks.CountHandled(ctx, r.redis, customers...)
	if err != nil {
		return nil, err
	}
	list := make([]glimpse, len(customers))
	for i := range list {
		list[i] = glimpse{moving[i], active[i]}
	}
	return list, nil
}

// customer reconciles one customer, as far as its numbers show that there is
// something to see.
func (r *reconciler) customer(ctx context.Context, customer string, now time.Time, g glimpse) error {
	r.mu.Lock()
	before := r.suspicions[customer]
	r.mu.Unlock()
	after := suspicion{map[tasks.Orphan]bool{}, map[store.Ref]time.Time{}}
	var errs []error
	if g.moving.Soon > 0 {
		errs = append(errs, r.takeOver(ctx, customer, now, r.rounds.pages))
	}
	if g.moving.Late > 0 {
		errs = append(errs, r.wake(ctx, customer, now))
	}
	if g.active > 0 {
		errs = append(errs, r.dropOrphans(ctx, customer, before, after), r.replace(ctx, customer, now, before, after))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.suspicions[customer] = after
	return errors.Join(errs...)
}

// stroll looks at some of the customers that are not listed as having work: those
// whose exports move all the same are announced. A new leader looks at all.
func (r *reconciler) stroll(ctx context.Context, busy []string) error {
	s := &r.rounds
	step := strollStep
	if s.at >= len(s.all) || !s.led {
		all, err := r.ledger.Customers(ctx)
		if err != nil {
			return err
		}
		s.all, s.at = all, 0
	}
	if !s.led {
		step = len(s.all)
	}
	chosen := s.all[s.at:min(s.at+step, len(s.all))]
	s.at += len(chosen)
	before := s.unheard
	s.unheard = map[string]bool{}
	chosen = slices.DeleteFunc(slices.Concat(chosen, slices.Collect(maps.Keys(before))), func(c string) bool {
		_, listed := slices.BinarySearch(busy, c)
		return listed
	})
	slices.Sort(chosen)
	chosen = slices.Compact(chosen)
	var errs []error
	for page := range slices.Chunk(chosen, glancePage) {
		moving, err := surveyed(ctx, r.survey, page, func(ctx context.Context, page []string) ([]int64, error) {
			return r.ledger.CountMoving(ctx, page...)
		})
		if err != nil { // they are seen when the stroll comes to them again
			errs = append(errs, err)
			continue
		}
		for _, customer := range page {
			if moving[customer] == 0 {
				continue
			}
			if !before[customer] {
				s.unheard[customer] = true
				continue
			}
			r.found(customer, FindingUnannounced, int(moving[customer]))
			errs = append(errs, r.ledger.Announce(ctx, customer))
		}
	}
	return errors.Join(errs...)
}
