package worker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// reconciler compares ledger and queue and puts right what a crash, a failover
// or a bug of asynq left behind. One process at a time does it; two would do no
// harm, as every step is a compare-and-set or may be done twice.
type reconciler struct {
	redis    redis.UniversalClient
	ledger   *store.Ledger
	survey   *survey
	registry *registry
	worker   string
	lease    time.Duration // of claims
	idle     time.Duration // see Settings.AbandonedAfter
	observer Observer
	leads    *atomic.Bool
	log      zerolog.Logger
	reverify func(ctx context.Context, now time.Time) error

	// rounds says which customers come next.
	rounds rounds
	sweeps sweeps

	mu sync.Mutex // of what follows: customers are reconciled side by side
	// suspicions are what looked wrong at the last visit of each customer.
	suspicions map[string]suspicion
	// silent are workers that hold exports and do not beat, by the time, by the
	// registry, at which that was first seen.
	silent map[string]time.Time
}

// suspicion is what may be wrong with a customer, or only under way.
type suspicion struct {
	// orphans are tasks without a lease: for a moment one has none while asynq takes
	// it up.
	orphans map[tasks.Orphan]bool
	// unclaimed are exports whose task is being handled although nobody has claimed
	// them, and since when that has been seen.
	unclaimed map[store.Ref]time.Time
}

const (
	reconcileEvery = 2 * time.Second
	// leadFor is for how long the process that reconciles may be silent.
	leadFor = 6 * time.Second
	leadKey = "ix:reconciler"
	// overdueBy is how long an export may be late before it is looked at. asynq
	// delivers what it keeps for later up to a few seconds late.
	overdueBy = 10 * time.Second
	// claimedWithin is how long a handler may take to claim its export: it may wait
	// for a look-up of others.
	claimedWithin = 15 * time.Second
	// lookAgain is when an export whose task is well is looked at the next time.
	lookAgain = 10 * time.Minute
	// nudgedFor is how long a new task has to show an effect.
	nudgedFor = time.Minute
	// reconcilePage bounds the exports of a customer in one round.
	reconcilePage = 500
)

var leadScript = redis.NewScript(`
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

func newReconciler(w *Worker) *reconciler {
	return &reconciler{
		redis: w.redis, ledger: w.ledger, survey: w.survey, registry: w.registry, worker: w.id, lease: w.settings.Lease, idle: w.settings.AbandonedAfter, log: w.log,
		observer: w.observer, leads: &w.vitals.leads, reverify: w.reverifyIfDue,
		suspicions: map[string]suspicion{}, silent: map[string]time.Time{},
	}
}

// run reconciles while this process leads, until ctx ends.
func (r *reconciler) run(ctx context.Context) {
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	defer r.leads.Store(false)
	for {
		if err := r.round(ctx); err != nil && ctx.Err() == nil {
			r.log.Error().Err(err).Fields(store.LogFields(err)).Msg("reconciling failed")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lead takes or keeps the lead among the processes.
func (r *reconciler) lead(ctx context.Context) (bool, error) {
	leads, err := leadScript.Run(ctx, r.redis, []string{leadKey}, r.worker, leadFor.Milliseconds()).Bool()
	r.leads.Store(leads && err == nil)
	if err != nil {
		return false, fmt.Errorf("lead: %w", err)
	}
	return leads, nil
}

// dropOrphans removes tasks that asynq never recovers, and gives their exports
// new ones.
func (r *reconciler) dropOrphans(ctx context.Context, customer string, before, now suspicion) error {
	orphans, err := tasks.Orphans(ctx, r.redis, customer)
	if err != nil {
		return err
	}
	var exports []string
	generations := map[string]int{}
	for _, o := range orphans {
		if !before.orphans[o] {
			now.orphans[o] = true
			continue
		}
		dropped, err := o.Drop(ctx, r.redis)
		if err != nil {
			return err
		}
		if !dropped {
			continue
		}
		r.found(customer, FindingOrphan, 1)
		if a, ok := o.Alarm(); ok {
			exports = append(exports, a.Export)
			generations[a.Export] = a.Generation
		}
	}
	stand, err := r.ledger.Stand(ctx, customer, exports)
	if err != nil {
		return err
	}
	// One with a later task has been seen to.
	stand = slices.DeleteFunc(stand, func(m store.Moving) bool {
		return m.State == "" || m.State.Ended() || m.Working() || m.Generation != generations[m.Export]
	})
	return r.nudge(ctx, customer, stand, tasks.EnqueueFirst)
}

// takeOver frees what dead workers hold. Of very many exports that are to be looked
// at soon it sees a part, unless a worker has fallen silent.
func (r *reconciler) takeOver(ctx context.Context, customer string, now time.Time, pages int) error {
	for to := now.Add(r.lease); pages > 0; pages-- {
		soon, err := r.ledger.Upcoming(ctx, customer, now, to, reconcilePage)
		if err != nil {
			return err
		}
		if err := r.takeOverDead(ctx, customer, soon); err != nil || len(soon) < reconcilePage {
			return err
		}
		to = soon[len(soon)-1].Due.Add(-time.Millisecond)
	}
	return nil
}

func (r *reconciler) takeOverDead(ctx context.Context, customer string, soon []store.Moving) error {
	var freed []store.Moving
	for _, m := range soon {
		if !m.Working() || !r.dead(m.Worker) {
			continue
		}
		ok, err := r.ledger.Void(ctx, m.Ref, m.Worker)
		if err != nil {
			return err
		}
		if ok {
			freed = append(freed, m)
		}
	}
	r.found(customer, FindingDeadWorker, len(freed))
	return r.nudge(ctx, customer, freed, tasks.EnqueueFirst)
}

// dead reports whether a worker is taken for dead: it has not beaten lately, and
// that was already so at an earlier beat of this one. After an outage of Redis those
// who live are given time to come back: whoever is in the middle of a write and loses
// its claim has to wait until that has settled.
func (r *reconciler) dead(worker string) bool {
	fleet := r.registry.known()
	r.mu.Lock()
	defer r.mu.Unlock()
	if fleet.Lives(worker) {
		delete(r.silent, worker)
		return false
	}
	since, silent := r.silent[worker]
	if !silent {
		r.silent[worker] = fleet.Now
		return false
	}
	return fleet.Now.After(since) && !r.registry.settling()
}

// replace gives exports another task whose handler was killed before it could
// claim them. asynq itself takes up to a minute and a half to notice.
func (r *reconciler) replace(ctx context.Context, customer string, now time.Time, before, after suspicion) error {
	handled, err := tasks.Handled(ctx, r.redis, customer)
	if err != nil {
		return err
	}
	forsaken, err := tasks.Forsaken(ctx, r.redis, customer)
	if err != nil {
		return err
	}
	exports := make([]string, len(handled))
	for i, a := range handled {
		exports[i] = a.Export
	}
	stand, err := r.ledger.Stand(ctx, customer, exports)
	if err != nil {
		return err
	}
	var idle []store.Moving
	for i, m := range stand {
		if m.Working() || m.State == "" || m.State.Ended() || servesAnother(m, handled[i].Generation) {
			continue
		}
		since, seen := before.unclaimed[m.Ref]
		patience := claimedWithin
		if forsaken[m.Export] {
			patience = 0
		}
		switch {
		case !seen:
			after.unclaimed[m.Ref] = now
		case now.Sub(since) < patience:
			after.unclaimed[m.Ref] = since
		default:
			after.unclaimed[m.Ref] = now.Add(nudgedFor) // the new task has to show an effect first
			idle = append(idle, m)
		}
	}
	r.found(customer, FindingUnclaimed, len(idle))
	return r.nudge(ctx, customer, idle, tasks.EnqueueFirst)
}

// wake gives exports a task that are late and have none that will fire.
func (r *reconciler) wake(ctx context.Context, customer string, now time.Time) error {
	late, err := r.ledger.Overdue(ctx, customer, now.Add(-overdueBy), reconcilePage)
	if err != nil || len(late) == 0 {
		return err
	}
	alarms := make([]tasks.Alarm, len(late))
	for i, m := range late {
		alarms[i] = tasks.Alarm{Export: m.Export, Generation: m.Generation}
	}
	alive, err := tasks.Alive(ctx, r.redis, customer, alarms)
	if err != nil {
		return err
	}
	turns, err := turnsLeft(ctx, r.redis, customer)
	if err != nil {
		return err
	}
	awaits, err := r.ledger.AwaitTurns(ctx, customer, late)
	if err != nil {
		return err
	}
	l := sortLate(late, now, alive, awaits, turns)
	if err := r.ledger.LookAgain(ctx, customer, l.well, now.Add(lookAgain)); err != nil {
		return err
	}
	if err := r.ledger.LookAgain(ctx, customer, l.patient, now.Add(patience(turns))); err != nil {
		return err
	}
	r.found(customer, FindingInterrupted, len(l.interrupted))
	if err := r.nudge(ctx, customer, l.interrupted, tasks.EnqueueFirst); err != nil {
		return err
	}
	lost, err := r.unchanged(ctx, customer, l.lost)
	if err != nil {
		return err
	}
	r.found(customer, FindingNoTask, len(lost))
	return r.nudge(ctx, customer, lost, tasks.Enqueue)
}

// unchanged reads exports again and returns those that nothing has happened to: a
// queue that was seen empty may have been emptied by their own tasks.
func (r *reconciler) unchanged(ctx context.Context, customer string, exports []store.Moving) ([]store.Moving, error) {
	ids := make([]string, len(exports))
	for i, m := range exports {
		ids[i] = m.Export
	}
	stand, err := r.ledger.Stand(ctx, customer, ids)
	if err != nil {
		return nil, err
	}
	var same []store.Moving
	for i, m := range stand {
		if m.State == exports[i].State && m.Generation == exports[i].Generation {
			same = append(same, m)
		}
	}
	return same, nil
}

// enqueue puts tasks into one of a customer's queues.
type enqueue func(context.Context, redis.UniversalClient, *store.Ledger, string, ...tasks.Alarm) error

// nudge gives exports a task of a new generation. Those that were interrupted
// pass all that waits: they may hold an e-mail's lock.
func (r *reconciler) nudge(ctx context.Context, customer string, exports []store.Moving, put enqueue) error {
	var alarms []tasks.Alarm
	for _, m := range exports {
		generation, ok, err := r.ledger.Nudge(ctx, m.Ref, nudgedFor)
		if err != nil {
			return err
		}
		if ok {
			alarms = append(alarms, tasks.Alarm{Export: m.Export, Generation: generation})
		}
	}
	if len(alarms) == 0 {
		return nil
	}
	return put(ctx, r.redis, r.ledger, customer, alarms...)
}

func (r *reconciler) found(customer string, what Finding, n int) {
	if n > 0 {
		r.observer.Reconciled(what, n)
		r.log.Warn().Str("customer", customer).Str("finding", findings[what]).Int("count", n).Msg("reconciled")
	}
}
