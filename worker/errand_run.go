package worker

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// ErrandRun is one errand that this process does. Its calls go the way that those of
// exports go, as express; but a pause, a verdict on the account and an open circuit
// breaker do not hold them back: finding out is what they are for. Rate and quota
// hold for them as well.
type ErrandRun struct {
	store.Errand

	// Conn is the customer's connection as it is now, with defaults.
	Conn store.Connection
	// Revision of the connection, where it is the store's.
	ConnRevision int64
	Log          zerolog.Logger

	worker *Worker
	claim  store.ErrandClaim
	calls  *atomic.Int64
	lane   func() (*lane, error) // without servers
	close  func()
}

// Client returns the client for the customer's iCIMS. It fails with a
// *connections.InvalidError where the connection cannot be used as it is.
func (r *ErrandRun) Client() (*icims.Client, error) {
	l, err := r.lane()
	if err != nil {
		return nil, err
	}
	return l.client, nil
}

// Hosts are the hosts that may be called.
func (r *ErrandRun) Hosts() icims.HostPolicy { return r.worker.hosts }

// Ledger is the worker's.
func (r *ErrandRun) Ledger() *store.Ledger { return r.worker.ledger }

// Worker names the process.
func (r *ErrandRun) Worker() string { return r.worker.id }

// CallsMade is how many calls iCIMS has seen of it.
func (r *ErrandRun) CallsMade() int { return int(r.calls.Load()) }

// Report records what was found so far, for those who follow the errand. It fails
// with store.ErrErrandLost where it is another worker's by now.
func (r *ErrandRun) Report(ctx context.Context, result any) error {
	if data, err := json.Marshal(result); err == nil {
		r.Result = data
	}
	return r.worker.ledger.StepErrand(ctx, r.claim, store.ErrandStep{Lease: errandLease, Result: result, Calls: r.CallsMade()})
}

// Hurry makes the customer's exports that wait for a time go on at once: the reasons
// for waiting are gone.
func (r *ErrandRun) Hurry() { r.worker.hurry(r.Customer) }

// errandError is a failure with its code.
type errandError struct {
	failure store.ErrandFailure
	err     error
}

func (e *errandError) Error() string { return string(e.failure) + ": " + e.err.Error() }
func (e *errandError) Unwrap() error { return e.err }

// attempt claims an errand and does it.
func (e *errands) attempt(ctx context.Context, d store.DueErrand) {
	conn, revision, err := e.connectionFor(ctx, d.Customer)
	if failed, ok := errors.AsType[*errandError](err); ok && failed.failure == store.ErrandNoConnection && !e.orphan(d) {
		return // another worker's file may have it, or this one is about to learn of it
	} else if err != nil && !ok {
		e.complain(ctx, err, d, "an errand waits")
		return
	}
	c, held, claimed, claimErr := e.ledger.ClaimErrand(ctx, d.Customer, d.Kind, e.id, errandLease)
	if claimErr != nil && !claimed {
		e.complain(ctx, claimErr, d, "an errand waits")
		return
	}
	if claimed {
		held = e.registry.shared(time.Now().Add(errandLease))
	}
	if restErr := e.ledger.RestErrand(ctx, d, held); restErr != nil {
		e.complain(ctx, restErr, d, "an errand cannot be put off")
	}
	if !claimed {
		return
	}
	r := e.newRun(c, conn, revision)
	defer func() { r.close() }() // known once it has a client
	switch {
	case claimErr != nil: // its arguments cannot be opened
		r.Log.Error().Err(claimErr).Msg("an errand cannot be done")
		e.abandon(ctx, r, store.ErrandSealed)
	case c.Tries > errandTries:
		e.abandon(ctx, r, store.ErrandGaveUp)
	case c.Began.Sub(c.Asked) > errandAge:
		e.abandon(ctx, r, store.ErrandExpired)
	case err != nil:
		failed, _ := errors.AsType[*errandError](err)
		r.Log.Warn().Str("why", failed.Error()).Msg("an errand cannot be done")
		e.abandon(ctx, r, failed.failure)
	default:
		e.do(ctx, r)
	}
}

func (e *errands) orphan(d store.DueErrand) bool {
	return !d.Since.IsZero() && e.registry.shared(time.Now()).Sub(d.Since) >= orphansAfter
}

func (e *errands) complain(ctx context.Context, err error, d store.DueErrand, what string) {
	if ctx.Err() == nil {
		e.log.Error().Err(err).Fields(store.LogFields(err)).Str("customer", d.Customer).Str("errand", string(d.Kind)).Msg(what)
	}
}

// connectionFor reads a customer's connection as the store has it now: this
// process may not have heard of its last change. Customers that the store does not
// know have that of the file.
func (e *errands) connectionFor(ctx context.Context, customer string) (store.Connection, int64, error) {
	c, err := e.ledger.Connection(ctx, customer)
	switch {
	case errors.Is(err, store.ErrNoConnection):
		e.Worker.mu.Lock()
		conn, known := e.connections[customer]
		e.Worker.mu.Unlock()
		if !known || conn.Stored {
			return store.Connection{}, 0, &errandError{store.ErrandNoConnection, err}
		}
		conn, err = e.ledger.WithProfile(ctx, conn)
		return conn, 0, err
	case errors.Is(err, store.ErrSealed):
		return store.Connection{}, 0, &errandError{store.ErrandSealed, err}
	case err != nil:
		return store.Connection{}, 0, err
	case !c.Below().Kept():
		return store.Connection{}, 0, &errandError{store.ErrandNoConnection, errors.New("the connection was removed")}
	}
	conn := c.WithLimits(c.Limits.Or(e.settings.Limits)).WithDefaults()
	conn.Stored = true
	return conn, c.Revision, nil
}

// newRun puts together what an errand needs. Its lane is assembled when it is asked
// for. It has a gate of its own: that of an open lane closes with the lane, and is
// closed by what does not hold here.
func (e *errands) newRun(c store.ErrandClaim, conn store.Connection, revision int64) *ErrandRun {
	r := &ErrandRun{
		Errand: c.Errand, Conn: conn, ConnRevision: revision, claim: c, worker: e.Worker, calls: &atomic.Int64{}, close: func() {},
		Log: e.log.With().Str("customer", c.Customer).Str("errand", string(c.Kind)).Logger(),
	}
	r.lane = sync.OnceValues(func() (*lane, error) {
		if err := connections.Check(conn, e.hosts); err != nil {
			return nil, err
		}
		e.Worker.mu.Lock()
		l, err := e.assembleFor(conn, purpose{permits: e.id + "." + string(c.Kind), errand: r.calls, log: r.Log})
		e.Worker.mu.Unlock()
		if err == nil {
			spawnLoop(l.base, &l.aside, l.log, "renewal of claims", l.leases.renew)
			r.close = l.end
		}
		return l, err
	})
	return r
}

// do does an errand, and records how it ended.
func (e *errands) do(ctx context.Context, r *ErrandRun) {
	r.Log.Info().Str("by", r.By).Int("try", r.Tries).Msg("errand begun")
	start := time.Now()
	working, stop := context.WithCancelCause(asExpress(ctx))
	defer stop(nil)
	working, _ = (&meter{}).begin(working) // what is no export's is nobody else's
	working, span := e.tracer.errand(working, r.Errand)
	var renewing sync.WaitGroup
	spawn(&renewing, r.Log, "renewal of an errand", func() { e.renew(working, r, stop) })
	result, err := e.guarded(working, r)
	lost := errors.Is(context.Cause(working), store.ErrErrandLost) || errors.Is(err, store.ErrErrandLost)
	stop(nil)
	renewing.Wait()
	endErrand(span, lost, ctx.Err() != nil, err, r.CallsMade())
	switch {
	case lost:
		r.Log.Warn().Msg("errand lost to another worker")
		e.observer.ErrandOver(r.Kind, ErrandOverLost)
		return
	case ctx.Err() != nil && err != nil:
		r.Log.Info().Msg("errand handed back")
		e.tell(r, store.ErrandStep{To: store.ErrandWaiting, Calls: r.CallsMade()})
		return
	case err != nil:
		r.Failure = failureOf(err)
		level := zerolog.ErrorLevel
		if r.Failure != store.ErrandInternal {
			level = zerolog.WarnLevel
		}
		r.Log.WithLevel(level).Err(err).Str("why", string(r.Failure)).Msg("errand failed")
		if abandon := e.kinds[r.Kind].Abandon; abandon != nil {
			abandon(ctx, r)
		}
		e.tell(r, store.ErrandStep{To: store.ErrandFailed, Failure: r.Failure, Result: result, Calls: r.CallsMade()})
		return
	}
	e.tell(r, store.ErrandStep{To: store.ErrandDone, Result: result, Calls: r.CallsMade()})
	r.Log.Info().Dur("took", time.Since(start)).Int("calls", r.CallsMade()).Msg("errand done")
}

func failureOf(err error) store.ErrandFailure {
	if invalid, ok := errors.AsType[*connections.InvalidError](err); ok && invalid != nil {
		return store.ErrandUnusable
	}
	_, changed := errors.AsType[*store.ConnectionChangedError](err)
	_, moved := errors.AsType[*store.ConnectionMoveError](err)
	switch {
	case changed, moved:
		return store.ErrandChanged
	case errors.Is(err, store.ErrNoConnection):
		return store.ErrandNoConnection
	}
	return store.ErrandInternal
}

// guarded does an errand; a panic in it is an error.
func (e *errands) guarded(ctx context.Context, r *ErrandRun) (result any, err error) {
	err = contain(r.Log, "errand", func() error {
		result, err = e.kinds[r.Kind].Do(ctx, r)
		return err
	})
	return result, err
}

// renew keeps hold of an errand until ctx ends. Once it is lost, or nobody could be
// told for as long as the lease, work on it stops.
func (e *errands) renew(ctx context.Context, r *ErrandRun, stop context.CancelCauseFunc) {
	tick := time.NewTicker(renewErrand)
	defer tick.Stop()
	for held := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := e.ledger.StepErrand(ctx, r.claim, store.ErrandStep{Lease: errandLease, Calls: r.CallsMade()})
		switch {
		case err == nil:
			held = time.Now()
		case errors.Is(err, store.ErrErrandLost), time.Since(held) > errandLease:
			stop(store.ErrErrandLost)
			return
		}
	}
}

// abandon ends an errand that was not done.
func (e *errands) abandon(ctx context.Context, r *ErrandRun, why store.ErrandFailure) {
	r.Failure = why
	r.Log.Warn().Str("why", string(why)).Msg("errand given up")
	if abandon := e.kinds[r.Kind].Abandon; abandon != nil {
		abandon(ctx, r)
	}
	e.tell(r, store.ErrandStep{To: store.ErrandFailed, Failure: why, Calls: r.CallsMade()})
}

// tell records how an errand ended. Where that fails for long it is taken for one
// whose worker died.
func (e *errands) tell(r *ErrandRun, s store.ErrandStep) {
	e.observer.ErrandOver(r.Kind, errandEnds[s.To])
	ctx, cancel := context.WithTimeout(context.Background(), ackTime)
	defer cancel()
	if err := e.ledger.StepErrand(ctx, r.claim, s); err != nil {
		r.Log.Warn().Err(err).Fields(store.LogFields(err)).Msg("how an errand ended cannot be recorded")
	}
}
