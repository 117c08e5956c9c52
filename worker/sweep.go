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

// sweep finds and repairs what a crash, a fail-over or an action in asynq's web UI left
// behind. One process at a time sweeps; two would do no harm, since each step is
// idempotent.
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

	led         bool     // in the last round as well
	unconverted []string // customers whose data of an earlier version is not converted yet
	slice       int      // of the customers with work
	all         []string
	batches     batchSweep
	busy        []string // customers with work in the last round

	mu sync.Mutex // of what follows: customers are visited side by side
	// unheard are customers with moving exports that nobody had announced.
	unannounced map[string]bool
	// short are customers that lacked tasks at the last visit.
	lacking map[string]bool
	// watched are customers whose tasks somebody may run manually although they have no
	// work: they have dead letters.
	watched       map[string]bool
	manualChecked time.Time // tasks that were run manually
	// pending are the pending tasks of customers whose work waits, at the last such look.
	pending map[string]int
}

const (
	sweepRound = 2 * time.Second
	// visitWithin is within how long each customer with work is visited, and visitsAtOnce
	// how many side by side: most of it is waiting for Redis.
	visitWithin  = 10 * time.Second
	visitsAtOnce = 4
	// scanStep is how many customers without work are looked at in a round: their
	// announcement may have been lost. Each costs two commands. Those that had work in the
	// round before are looked at besides.
	scanStep = 1
	// handsEvery is how often it is looked whether somebody ran an archived task, or
	// resumed a queue, of a customer without a lane.
	manualEvery = 15 * time.Second
	// visitLimit bounds a visit: one node of a cluster may hang.
	visitLimit = 30 * time.Second
)

func newSweep(w *Worker) *sweep {
	return &sweep{
		redis: w.redis, queues: w.queues, ledger: w.ledger, registry: w.registry, worker: w.id, idle: w.settings.AbandonedAfter,
		log: w.log, observer: w.observer, leads: &w.vitals.leads, reverify: w.reverifyIfDue,
		lacking: map[string]bool{}, watched: map[string]bool{}, unannounced: map[string]bool{}, pending: map[string]int{},
	}
}

// run sweeps while this process leads, until ctx ends.
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

// lead reports whether this process sweeps: the first by name of those that live does.
func (s *sweep) lead() bool {
	fleet := s.registry.known()
	leads := fleet.Lives(s.worker)
	for other, p := range fleet.Workers {
		leads = leads && (other >= s.worker || p.Free < 0 || !fleet.Lives(other)) // one that stops sweeps no more
	}
	s.leads.Store(leads)
	return leads
}

// round looks at some of the customers, if this process leads.
func (s *sweep) round(ctx context.Context) error {
	if !s.lead() {
		s.led, s.batches, s.busy, s.unconverted = false, batchSweep{}, nil, nil
		clear(s.pending)
		clear(s.lacking)
		clear(s.watched)
		clear(s.unannounced)
		return nil
	}
	listed, err := s.ledger.Announced(ctx)
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
	return errors.Join(looked, s.takeOver(ctx), s.each(ctx, s.due(busy), visit), s.manualActions(ctx, listed, now), s.reverify(ctx, now), s.sweepBatches(ctx, time.Now()))
}

// takeOver converts what an earlier version left of each customer, once.
func (s *sweep) takeOver(ctx context.Context) error {
	var (
		mu   sync.Mutex
		left []string
	)
	err := s.each(ctx, s.unconverted, func(ctx context.Context, customer string) error {
		ctx, cancel := context.WithTimeout(ctx, readWithin)
		defer cancel()
		err := s.ledger.TakeOver(ctx, customer)
		if err != nil {
			mu.Lock()
			left = append(left, customer) // again in the next round
			mu.Unlock()
		}
		return err
	})
	s.unconverted = left
	return err
}

// turnOf chooses the customers with work to visit in this round: each in its turn within
// visitWithin, or all where they are few.
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

// each calls do for all customers, some concurrently. An error of one does not affect
// the others.
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

// scan looks at some of the customers that are not listed as having work. It announces
// those whose exports move anyway, and watches those with dead letters. A new leader
// scans all.
func (s *sweep) scan(ctx context.Context, busy []string) error {
	step := scanStep
	if len(s.all) == 0 || !s.led {
		all, err := s.ledger.Customers(ctx)
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
	// An export that was just accepted is announced a moment later, so a customer that
	// is not announced yet is checked again.
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
		moving, err := s.ledger.CountMoving(ctx, customer)
		if err != nil {
			return err
		}
		dead, err := s.ledger.CountDead(ctx, customer)
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
			return s.ledger.Announce(ctx, customer)
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

// hands looks whether somebody has run tasks or resumed queues by hand, with asynq's web
// UI, its command line or an Inspector: nobody announces that. Customers are concerned that
// have dead letters and no work, and those whose work waits for a time: of these more tasks
// are pending than at the last look.
func (s *sweep) manualActions(ctx context.Context, listed []store.Announced, now time.Time) error {
	if now.Sub(s.manualChecked) < manualEvery {
		return nil
	}
	s.manualChecked = now
	var resting []string
	wanted := map[string]bool{}
	for _, a := range listed {
		wanted[a.Customer] = true
		if a.Wants.After(now) {
			resting = append(resting, a.Customer)
		}
	}
	s.mu.Lock()
	for customer := range s.watched {
		if !wanted[customer] {
			resting = append(resting, customer)
		}
	}
	s.mu.Unlock()
	before := s.pending
	s.pending = map[string]int{}
	err := s.each(ctx, resting, func(ctx context.Context, customer string) error {
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
		return s.ledger.Announce(ctx, customer)
	})
	return errors.Join(err, s.pauses(ctx, now))
}

// pauses ends expired pauses, and those that somebody ended by resuming the queues. It
// pauses the queues for pauses that an earlier version recorded.
func (s *sweep) pauses(ctx context.Context, now time.Time) error {
	paused, err := s.ledger.PausedCustomers(ctx)
	if err != nil || len(paused) == 0 {
		return err
	}
	for _, customer := range paused {
		err = errors.Join(err, s.pause(ctx, customer, now))
	}
	return err
}

func (s *sweep) pause(ctx context.Context, customer string, now time.Time) error {
	pause, marked, err := s.ledger.PauseRecord(ctx, customer)
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
		return errors.Join(s.queues.Resume(ctx, customer), s.ledger.EndPause(ctx, customer))
	case !marked:
		return errors.Join(s.queues.Pause(ctx, customer), s.ledger.NoteQueuesPaused(ctx, customer))
	case !q.Express.Paused || !q.Normal.Paused || !q.Large.Paused:
		_, err := s.ledger.Resume(ctx, customer, "asynq", "its queue was resumed")
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
