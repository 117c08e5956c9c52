package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/redeliver"
)

// Run is one run of a control task. Its calls pass the customer's limits like those of
// exports, as express. A pause, a refusal of the account and an open breaker do not hold
// them back: the task is to find out. Rate and quota do.
type Run struct {
	store.ControlTask

	// Conn is the customer's connection as it is now, with defaults.
	Conn store.Connection
	// ConnRevision is the revision of a connection of the store.
	ConnRevision int64
	Log          zerolog.Logger

	tasks *Tasks
	task  *asynq.Task
	claim store.ControlClaim
	calls *atomic.Int64
	lane  func() (Lane, error)
	close func()
}

// newRun returns a run. Its lane is opened when it is first needed.
func (t *Tasks) newRun(c store.ControlClaim, task *asynq.Task, conn store.Connection, revision int64, log zerolog.Logger) *Run {
	r := &Run{
		ControlTask: c.ControlTask, Conn: conn, ConnRevision: revision, Log: log,
		tasks: t, task: task, claim: c, calls: &atomic.Int64{}, close: func() {},
	}
	r.lane = sync.OnceValues(func() (Lane, error) {
		if err := connections.Check(conn, t.Hosts); err != nil {
			return nil, err
		}
		l, err := t.Open(conn, c.Kind, r.calls, log)
		if err == nil {
			r.close = l.Close
		}
		return l, err
	})
	return r
}

// Client returns the client for the customer's iCIMS. It fails with a
// *connections.InvalidError if the connection cannot be used as it is.
func (r *Run) Client() (*icims.Client, error) {
	l, err := r.lane()
	if err != nil {
		return nil, err
	}
	return l.Client(), nil
}

// Hosts are the hosts that may be called.
func (r *Run) Hosts() icims.HostPolicy { return r.tasks.Hosts }

// Ledger is the worker's.
func (r *Run) Ledger() *store.Ledger { return r.tasks.Ledger }

// LookupBatch is how many addresses exports look up with one search at most.
func (r *Run) LookupBatch() int { return r.tasks.LookupBatch }

// CallsMade counts the calls of this run that iCIMS has seen.
func (r *Run) CallsMade() int { return int(r.calls.Load()) }

// RunNow runs the customer's exports at once that wait for a time.
func (r *Run) RunNow() { r.tasks.RunNow(r.Customer) }

// DummyDomain is the domain of generated addresses of the customer's candidates.
func (r *Run) DummyDomain() string {
	if d := r.Conn.DummyDomain; d != "" {
		return d
	}
	return r.tasks.DummyDomain
}

// Report records what was found so far. It fails with store.ErrControlTaskLost if another
// run has begun.
func (r *Run) Report(ctx context.Context, result any) error {
	if data, err := json.Marshal(result); err == nil {
		r.Result = data
	}
	return r.tasks.Ledger.StepControlTask(ctx, r.claim, store.ControlStep{Result: result, Calls: r.CallsMade()})
}

// ErrExportWaits: the export has not ended, for lack of time or of permission; the ledger
// says why.
var ErrExportWaits = errors.New("the export waits")

// ExportSettled is how long to wait for an export at most: a write whose answer was lost is
// looked for after the settle time.
func (r *Run) ExportSettled() time.Duration {
	return r.Conn.Profile.SettleTime(r.tasks.SettleTime) + 30*time.Second
}

// Export takes an export of the ledger through the stages. It needs no task and no open
// lane, and a pause does not hold it back; intents, markers and locks hold as for any other.
// It returns when the export has ended, whatever the outcome, or ErrExportWaits if it would
// not end in time.
func (r *Run) Export(ctx context.Context, ref store.Ref, within time.Duration) error {
	l, err := r.lane()
	if err != nil {
		return err
	}
	return l.Export(ctx, ref, within)
}

// Rest waits. Meanwhile it does not count among the tasks that the process runs at once.
func (r *Run) Rest(ctx context.Context, d time.Duration) error {
	r.tasks.add(r.Kind, -1)
	defer r.tasks.add(r.Kind, 1)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// failure is why a task failed, with the code that is recorded.
type failure struct {
	why store.ControlFailure
	err error
}

func (e *failure) Error() string { return string(e.why) + ": " + e.err.Error() }
func (e *failure) Unwrap() error { return e.err }

func failureOf(err error) store.ControlFailure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.why
	}
	if invalid, ok := errors.AsType[*connections.InvalidError](err); ok && invalid != nil {
		return store.ControlUnusable
	}
	_, changed := errors.AsType[*store.ConnectionChangedError](err)
	_, moved := errors.AsType[*store.ConnectionMoveError](err)
	switch {
	case changed, moved:
		return store.ControlChanged
	case errors.Is(err, store.ErrNoConnection):
		return store.ControlNoConnection
	}
	return store.ControlInternal
}

// do runs the work of a task, and records how it ended.
func (t *Tasks) do(ctx context.Context, r *Run, work Work) error {
	r.Log.Info().Str("by", r.By).Int("try", r.Tries).Msg("control task started")
	start := time.Now()
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(t.stopping, func() { cancel(errStopping) })()
	running, end := t.Begin(running, r.ControlTask)
	var (
		result any
		err    error
	)
	panicked := panics.Logged(r.Log, "control task", func() error {
		result, err = work.Do(running, r)
		return nil
	})
	switch {
	case panicked != nil:
		end(EndFailed, store.ControlInternal, r.CallsMade())
		if err := t.fail(ctx, r, nil, panicked); err != nil {
			return err
		}
		return fmt.Errorf("%w: %w", panicked, asynq.SkipRetry)
	case errors.Is(err, store.ErrControlTaskLost):
		end(EndLost, "", r.CallsMade())
		return t.lost(r)
	case err != nil && running.Err() != nil:
		r.Log.Info().Str("why", context.Cause(running).Error()).Msg("control task returned to the queue")
		end(EndHandedBack, "", r.CallsMade())
		if err := t.record(r, store.ControlStep{To: store.ControlWaiting, Calls: r.CallsMade()}); err != nil {
			return err
		}
		t.Ended(r.Kind, EndHandedBack)
		return redeliver.Waiting(waitsForStop, 0) // asynq ignores it if it has canceled the run
	case err != nil:
		end(EndFailed, failureOf(err), r.CallsMade())
		return t.fail(ctx, r, result, err)
	}
	end(EndDone, "", r.CallsMade())
	if err := t.record(r, store.ControlStep{To: store.ControlDone, Result: result, Calls: r.CallsMade()}); err != nil {
		return err
	}
	t.Ended(r.Kind, EndDone)
	r.Log.Info().Dur("took", time.Since(start)).Int("calls", r.CallsMade()).Msg("control task done")
	write(r.task, fmt.Sprintf("done, calls to iCIMS: %d", r.CallsMade()))
	return nil
}

// fail ends a task that was not done.
func (t *Tasks) fail(ctx context.Context, r *Run, result any, err error) error {
	r.Failure = failureOf(err)
	level := zerolog.WarnLevel
	if r.Failure == store.ControlInternal {
		level = zerolog.ErrorLevel
	}
	r.Log.WithLevel(level).Err(err).Str("why", string(r.Failure)).Msg("control task failed")
	if abandon := t.kinds[r.Kind].Abandon; abandon != nil {
		abandon(ctx, r)
	}
	if err := t.record(r, store.ControlStep{To: store.ControlFailed, Failure: r.Failure, Result: result, Calls: r.CallsMade()}); err != nil {
		return err
	}
	t.Ended(r.Kind, EndFailed)
	write(r.task, "failed: "+r.Failure.Info().Title)
	return nil
}

// record records how a run ended. It has a time of its own, as the run's may be over.
func (t *Tasks) record(r *Run, s store.ControlStep) error {
	ctx, cancel := context.WithTimeout(context.Background(), recordTime)
	defer cancel()
	err := t.Ledger.StepControlTask(ctx, r.claim, s)
	switch {
	case errors.Is(err, store.ErrControlTaskLost):
		return t.lost(r)
	case err != nil:
		r.Log.Warn().Err(err).Fields(store.LogFields(err)).Msg("could not record the result of a control task; it runs again")
		return redeliver.Waiting(waitsForRecord, faultPause)
	}
	return nil
}

// lost ends a run whose task another run has begun. asynq ignores what it returns, unless
// Redis has lost writes: then the task runs again.
func (t *Tasks) lost(r *Run) error {
	r.Log.Warn().Msg("control task restarted by another worker")
	t.Ended(r.Kind, EndLost)
	return redeliver.Waiting(waitsForRun, faultPause)
}

// write tells asynq's web UI how a task ended.
func write(task *asynq.Task, text string) {
	if w := task.ResultWriter(); w != nil {
		_, _ = w.Write([]byte(text)) // the record has it
	}
}
