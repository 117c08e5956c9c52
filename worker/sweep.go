package worker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// sweep finds and repairs what a crash, a failover or an action in asynq's web UI left behind.
// One process at a time sweeps. Two would do no harm, since each step is idempotent.
type sweep struct {
	redis    redis.UniversalClient
	queues   *tasks.Queues
	ledger   *store.Ledger
	registry *registry
	worker   string
	idle     time.Duration // see Settings.AbandonedAfter
	observer Observer
	leads    *atomic.Bool
	log      zerolog.Logger
	reverify func(ctx context.Context, now time.Time) error

	led         bool     // this process also led in the last round
	unconverted []string // customers with data of an earlier version
	slice       int      // index of the last slice of customers with work
	all         []string
	batches     batchSweep
	busy        []string // customers with work in the last round

	mu sync.Mutex // guards the following fields: customers are visited concurrently
	// unannounced are customers with moving exports and no announcement.
	unannounced map[string]bool
	// lacking are customers with missing tasks at the last visit.
	lacking map[string]bool
	// watched are customers with dead letters and no work: their archived tasks may be run
	// manually.
	watched       map[string]bool
	manualChecked time.Time // the last check for tasks that were run manually
	// pending are the pending tasks at that check, of customers whose work is scheduled.
	pending map[string]int
}

const (
	sweepRound = 2 * time.Second
	// visitWithin is the time in which all customers with work are visited, visitsAtOnce the
	// concurrent visits: most of the time is spent waiting for Redis.
	visitWithin  = 10 * time.Second
	visitsAtOnce = 4
	// scanStep is how many customers without work are checked per round, as their announcements
	// may have been lost. Each costs two commands. Customers with work in the previous round are
	// checked too.
	scanStep = 1
	// manualEvery is the interval of checks for archived tasks that were run, and queues that
	// were resumed, manually.
	manualEvery = 15 * time.Second
	// visitLimit bounds a visit: a cluster node may hang.
	visitLimit = 30 * time.Second
)

func newSweep(w *Worker) *sweep {
	return &sweep{
		redis: w.redis, queues: w.queues, ledger: w.ledger, registry: w.registry, worker: w.id, idle: w.settings.AbandonedAfter,
		log: w.log, observer: w.observer, leads: &w.vitals.leads, reverify: w.reverifyIfDue,
		lacking: map[string]bool{}, watched: map[string]bool{}, unannounced: map[string]bool{}, pending: map[string]int{},
	}
}

// run sweeps until ctx ends, whenever this process leads.
func (s *sweep) run(ctx context.Context) {
	tick := time.NewTicker(sweepRound)
	defer tick.Stop()
	defer s.leads.Store(false)
	for {
		if err := s.round(ctx); err != nil && ctx.Err() == nil {
			s.log.Error().Err(err).Fields(store.LogFields(err)).Msg("sweep failed")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lead reports whether this process sweeps. The live worker with the smallest ID does.
func (s *sweep) lead() bool {
	fleet := s.registry.known()
	leads := fleet.Lives(s.worker)
	for other, p := range fleet.Workers {
		leads = leads && (other >= s.worker || p.Free < 0 || !fleet.Lives(other)) // a stopping worker no longer sweeps
	}
	s.leads.Store(leads)
	return leads
}

// round checks some of the customers, if this process leads.
func (s *sweep) round(ctx context.Context) error {
	if !s.lead() {
		s.led, s.batches, s.busy, s.unconverted = false, batchSweep{}, nil, nil
		clear(s.pending)
		clear(s.lacking)
		clear(s.watched)
		clear(s.unannounced)
		return nil
	}
	listed, err := s.ledger.Lanes.Announced(ctx)
	if err != nil {
		return err
	}
	busy := make([]string, len(listed))
	for i, a := range listed {
		busy[i] = a.Customer
	}
	slices.Sort(busy)
	now := s.registry.shared(time.Now())
	looked := s.scan(ctx, busy)
	s.led = s.led || looked == nil
	visit := func(ctx context.Context, customer string) error {
		ctx, cancel := context.WithTimeout(ctx, visitLimit)
		defer cancel()
		return s.visit(ctx, customer, now)
	}
	return errors.Join(looked, s.convert(ctx), s.each(ctx, s.due(busy), visit), s.manualActions(ctx, listed, now), s.reverify(ctx, now), s.sweepBatches(ctx, time.Now()))
}

// convert converts each customer's data of an earlier version, once.
func (s *sweep) convert(ctx context.Context) error {
	var (
		mu   sync.Mutex
		left []string
	)
	err := s.each(ctx, s.unconverted, func(ctx context.Context, customer string) error {
		ctx, cancel := context.WithTimeout(ctx, readWithin)
		defer cancel()
		err := s.ledger.Recovery.TakeOver(ctx, customer)
		if err != nil {
			mu.Lock()
			left = append(left, customer) // retried in the next round
			mu.Unlock()
		}
		return err
	})
	s.unconverted = left
	return err
}

// due returns the customers with work to visit in this round: all if there are few, otherwise one
// slice, so that each is visited within visitWithin.
func (s *sweep) due(busy []string) []string {
	const few = 50
	rounds := int(visitWithin / sweepRound)
	if len(busy) <= few {
		return busy
	}
	s.slice = (s.slice + 1) % rounds
	size := (len(busy) + rounds - 1) / rounds
	return busy[min(s.slice*size, len(busy)):min((s.slice+1)*size, len(busy))]
}

// each calls do for all customers, some concurrently. An error of one does not affect the others.
func (s *sweep) each(ctx context.Context, customers []string, do func(ctx context.Context, customer string) error) error {
	var (
		visiting sync.WaitGroup
		slots    = make(chan struct{}, visitsAtOnce)
	)
	for _, customer := range customers {
		if ctx.Err() != nil {
			break
		}
		slots <- struct{}{}
		spawn(&visiting, s.log, "sweep", func() {
			defer func() { <-slots }()
			if err := do(ctx, customer); store.Broken(err) {
				s.log.Error().Err(err).Str("customer", customer).Msg(brokenKeys)
			} else if err != nil && ctx.Err() == nil {
				s.log.Error().Err(err).Fields(store.LogFields(err)).Str("customer", customer).Msg("sweep failed for a customer")
			}
		})
	}
	visiting.Wait()
	return context.Cause(ctx)
}

// scan checks some of the customers without announced work. It announces those with moving
// exports and watches those with dead letters. A new leader scans all.
func (s *sweep) scan(ctx context.Context, busy []string) error {
	step := scanStep
	if len(s.all) == 0 || !s.led {
		all, err := s.ledger.Workers.Customers(ctx)
		if err != nil {
			return err
		}
		s.all = all
		if !s.led {
			step = len(all)
			s.unconverted = slices.Clone(all)
		}
	}
	chosen := s.all[:min(step, len(s.all))]
	s.all = s.all[len(chosen):]
	// A new export is announced a moment after it is accepted, so a customer without an
	// announcement is checked twice.
	before := s.unannounced
	s.unannounced = map[string]bool{}
	idle := slices.DeleteFunc(slices.Concat(chosen, s.busy, slices.Collect(maps.Keys(before))), func(c string) bool {
		_, listed := slices.BinarySearch(busy, c)
		return listed
	})
	slices.Sort(idle)
	idle, s.busy = slices.Compact(idle), busy
	return s.each(ctx, idle, func(ctx context.Context, customer string) error {
		ctx, cancel := context.WithTimeout(ctx, readWithin)
		defer cancel()
		moving, err := s.ledger.Recovery.CountMoving(ctx, customer)
		if err != nil {
			return err
		}
		dead, err := s.ledger.DeadLetters.Count(ctx, customer)
		if err != nil {
			return err
		}
		s.watch(customer, dead > 0)
		switch {
		case moving[0] == 0:
		case !before[customer]:
			s.mu.Lock()
			s.unannounced[customer] = true
			s.mu.Unlock()
		default:
			s.found(customer, FindingUnannounced, int(moving[0]))
			return s.ledger.Lanes.Announce(ctx, customer)
		}
		return nil
	})
}

func (s *sweep) watch(customer string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.watched[customer] = true
	} else {
		delete(s.watched, customer)
	}
}

// manualActions finds tasks that were run and queues that were resumed with asynq's web UI, its
// command line or an Inspector, which announce nothing. It checks customers with dead letters and
// no work, and customers whose work is scheduled: more of their tasks are pending than before.
func (s *sweep) manualActions(ctx context.Context, listed []store.Announced, now time.Time) error {
	if now.Sub(s.manualChecked) < manualEvery {
		return nil
	}
	s.manualChecked = now
	var idle []string
	wanted := map[string]bool{}
	for _, a := range listed {
		wanted[a.Customer] = true
		if a.Wants.After(now) {
			idle = append(idle, a.Customer)
		}
	}
	s.mu.Lock()
	for customer := range s.watched {
		if !wanted[customer] {
			idle = append(idle, customer)
		}
	}
	s.mu.Unlock()
	before := s.pending
	s.pending = map[string]int{}
	err := s.each(ctx, idle, func(ctx context.Context, customer string) error {
		ctx, cancel := context.WithTimeout(ctx, readWithin)
		defer cancel()
		pending, err := tasks.Pending(ctx, s.redis, customer)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.pending[customer] = pending[0]
		s.mu.Unlock()
		if pending[0] == 0 || wanted[customer] && pending[0] <= before[customer] {
			return nil
		}
		return s.ledger.Lanes.Announce(ctx, customer)
	})
	return errors.Join(err, s.pauses(ctx, now))
}

// pauses ends expired pauses, and those whose queues were resumed. It pauses the queues of pauses
// recorded by an earlier version.
func (s *sweep) pauses(ctx context.Context, now time.Time) error {
	paused, err := s.ledger.Lanes.PausedCustomers(ctx)
	if err != nil || len(paused) == 0 {
		return err
	}
	for _, customer := range paused {
		err = errors.Join(err, s.pause(ctx, customer, now))
	}
	return err
}

func (s *sweep) pause(ctx context.Context, customer string, now time.Time) error {
	pause, marked, err := s.ledger.Lanes.PauseRecord(ctx, customer)
	if err != nil {
		return err
	}
	states, err := tasks.ReadQueueStates(ctx, s.redis, customer)
	if err != nil {
		return err
	}
	switch q := states[0]; {
	case pause == nil:
		return nil
	case pause.Over(now):
		return errors.Join(s.queues.Resume(ctx, customer), s.ledger.Lanes.EndPause(ctx, customer))
	case !marked:
		return errors.Join(s.queues.Pause(ctx, customer), s.ledger.Lanes.RecordQueuesPaused(ctx, customer))
	case !q.Express.Paused || !q.Normal.Paused || !q.Large.Paused:
		_, err := s.ledger.Lanes.Resume(ctx, customer, "asynq", "its queue was resumed")
		return errors.Join(s.queues.Resume(ctx, customer), err)
	}
	return nil
}

func (s *sweep) found(customer string, what Finding, n int) {
	if n > 0 {
		s.observer.Reconciled(what, n)
		s.log.Warn().Str("customer", customer).Str("finding", findings[what]).Int("count", n).Msg("repaired")
	}
}
