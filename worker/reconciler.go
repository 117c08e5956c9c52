package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	redis  redis.UniversalClient
	ledger *store.Ledger
	worker string
	lease  time.Duration // of claims
	log    zerolog.Logger

	// suspects are orphans seen in the last round: a task has no lease for a
	// moment while asynq takes it up.
	suspects map[tasks.Orphan]bool
	// silent are workers that were not heard of in the last round, silentNow those
	// in this one.
	silent, silentNow map[string]bool
	// unclaimed are exports whose task is being handled although nobody has claimed
	// them, and since when that has been seen.
	unclaimed map[store.Ref]time.Time
	// next is where the slow walk over all customers goes on.
	next int
}

const (
	reconcileEvery = 2 * time.Second
	// leadFor is for how long the process that reconciles may be silent.
	leadFor = 8 * time.Second
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
	// reconcilePage bounds the exports of a customer in one round, and the
	// customers without announced work.
	reconcilePage = 500
)

var leadScript = redis.NewScript(`
local leader = redis.call('GET', KEYS[1])
if leader and leader ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

// run reconciles while this process leads, until ctx ends.
func (r *reconciler) run(ctx context.Context) {
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for {
		if err := r.round(ctx); err != nil && ctx.Err() == nil {
			r.log.Error().Err(err).Msg("reconciling failed")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (r *reconciler) round(ctx context.Context) error {
	leads, err := r.lead(ctx)
	if err != nil || !leads {
		clear(r.suspects)
		clear(r.unclaimed)
		clear(r.silent)
		return err
	}
	customers, err := r.customers(ctx)
	if err != nil {
		return err
	}
	now, err := r.ledger.Now(ctx)
	if err != nil {
		return err
	}
	suspects, unclaimed := map[tasks.Orphan]bool{}, map[store.Ref]time.Time{}
	r.silentNow = map[string]bool{}
	led := time.Now()
	for _, customer := range customers {
		// A round over many customers takes longer than the lead lasts.
		if time.Since(led) > reconcileEvery {
			if leads, err := r.lead(ctx); err != nil || !leads {
				return err
			}
			led = time.Now()
		}
		err := errors.Join(r.customer(ctx, customer, now, suspects), r.replace(ctx, customer, now, unclaimed))
		if ctx.Err() != nil {
			return err
		}
		if err != nil { // the others are not to wait for this one
			r.log.Error().Err(err).Str("customer", customer).Msg("reconciling failed")
		}
	}
	r.suspects, r.unclaimed, r.silent = suspects, unclaimed, r.silentNow
	return nil
}

// lead takes or keeps the lead among the processes.
func (r *reconciler) lead(ctx context.Context) (bool, error) {
	leads, err := leadScript.Run(ctx, r.redis, []string{leadKey}, r.worker, leadFor.Milliseconds()).Bool()
	if err != nil {
		return false, fmt.Errorf("lead: %w", err)
	}
	return leads, nil
}

// customers are those with announced work, and some of all others in turn: their
// announcement may have been lost.
func (r *reconciler) customers(ctx context.Context) ([]string, error) {
	announced, err := r.ledger.Announced(ctx)
	if err != nil {
		return nil, err
	}
	all, err := r.ledger.Customers(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(all)
	list := make([]string, 0, len(announced)+reconcilePage)
	for _, a := range announced {
		list = append(list, a.Customer)
	}
	for range min(len(all), reconcilePage) {
		r.next = (r.next + 1) % len(all)
		list = append(list, all[r.next])
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func (r *reconciler) customer(ctx context.Context, customer string, now time.Time, suspects map[tasks.Orphan]bool) error {
	if err := r.takeOver(ctx, customer, now); err != nil {
		return err
	}
	if err := r.wake(ctx, customer, now); err != nil {
		return err
	}
	return r.dropOrphans(ctx, customer, suspects)
}

// dropOrphans removes tasks that asynq never recovers, and gives their exports
// new ones.
func (r *reconciler) dropOrphans(ctx context.Context, customer string, suspects map[tasks.Orphan]bool) error {
	orphans, err := tasks.Orphans(ctx, r.redis, customer)
	if err != nil {
		return err
	}
	var exports []string
	generations := map[string]int{}
	for _, o := range orphans {
		if !r.suspects[o] {
			suspects[o] = true
			continue
		}
		dropped, err := o.Drop(ctx, r.redis)
		if err != nil {
			return err
		}
		if !dropped {
			continue
		}
		r.found(customer, "task that nobody handles", 1)
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

// takeOver frees what dead workers hold.
func (r *reconciler) takeOver(ctx context.Context, customer string, now time.Time) error {
	held, err := r.ledger.Upcoming(ctx, customer, now, now.Add(r.lease), reconcilePage)
	if err != nil {
		return err
	}
	held = slices.DeleteFunc(held, func(m store.Moving) bool { return !m.Working() })
	if len(held) == 0 {
		return nil
	}
	var workers []string
	for _, m := range held {
		workers = append(workers, m.Worker)
	}
	slices.Sort(workers)
	lives, err := r.ledger.Lives(ctx, slices.Compact(workers))
	if err != nil {
		return err
	}
	var freed []store.Moving
	for _, m := range held {
		if lives[m.Worker] {
			continue
		}
		// After an outage of Redis all beats have expired; the living come back first.
		r.silentNow[m.Worker] = true
		if !r.silent[m.Worker] {
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
	r.found(customer, "export of a dead worker", len(freed))
	return r.nudge(ctx, customer, freed, tasks.EnqueueFirst)
}

// replace gives exports another task whose handler was killed before it could
// claim them. asynq itself takes up to a minute and a half to notice.
func (r *reconciler) replace(ctx context.Context, customer string, now time.Time, unclaimed map[store.Ref]time.Time) error {
	handled, err := tasks.Handled(ctx, r.redis, customer)
	if err != nil {
		return err
	}
	stand, err := r.ledger.Stand(ctx, customer, handled)
	if err != nil {
		return err
	}
	var idle []store.Moving
	for _, m := range stand {
		if m.Working() || m.State == "" || m.State.Ended() {
			continue
		}
		since, seen := r.unclaimed[m.Ref]
		switch {
		case !seen:
			unclaimed[m.Ref] = now
		case now.Sub(since) < claimedWithin:
			unclaimed[m.Ref] = since
		default:
			unclaimed[m.Ref] = now.Add(nudgedFor) // the new task has to show an effect first
			idle = append(idle, m)
		}
	}
	r.found(customer, "task that claims nothing", len(idle))
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
	var well []string
	var lost, interrupted []store.Moving
	for i, m := range late {
		switch {
		case m.Working():
			// A claim whose lease ran out is stuck, however alive its task seems.
			interrupted = append(interrupted, m)
		case alive[i]:
			well = append(well, m.Export)
		default:
			lost = append(lost, m)
		}
	}
	if err := r.ledger.LookAgain(ctx, customer, well, now.Add(lookAgain)); err != nil {
		return err
	}
	r.found(customer, "claim whose lease ran out", len(interrupted))
	if err := r.nudge(ctx, customer, interrupted, tasks.EnqueueFirst); err != nil {
		return err
	}
	r.found(customer, "export without a task", len(lost))
	return r.nudge(ctx, customer, lost, tasks.Enqueue)
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

func (r *reconciler) found(customer, what string, n int) {
	if n > 0 {
		r.log.Warn().Str("customer", customer).Str("finding", what).Int("count", n).Msg("reconciled")
	}
}
