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

// Run is one run of a control task. Its calls are subject to the customer's rate and quota, as
// express calls. A pause, a refused account or an open breaker does not block them: the task has
// to find out.
type Run struct {
	store.ControlTask

	// Conn is the customer's current connection, with defaults.
	Conn store.Connection
	// ConnRevision is the revision of a stored connection.
	ConnRevision int64
	Log          zerolog.Logger

	tasks *Tasks
	task  *asynq.Task
	claim store.ControlClaim
	calls *atomic.Int64
	lane  func() (Lane, error)
	close func()
}

// newRun returns a run. Its lane opens when it is first needed.
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

// Client returns the client for the customer's iCIMS. It fails with a *connections.InvalidError
// if the connection is not usable.
func (r *Run) Client() (*icims.Client, error) {
	l, err := r.lane()
	if err != nil {
		return nil, err
	}
	return l.Client(), nil
}

// Hosts returns the hosts that may be called.
func (r *Run) Hosts() icims.HostPolicy { return r.tasks.Hosts }

// Ledger returns the worker's ledger.
func (r *Run) Ledger() *store.Ledger { return r.tasks.Ledger }

// LookupBatch returns the maximum number of addresses per search of an export.
func (r *Run) LookupBatch() int { return r.tasks.LookupBatch }

// CallsMade counts the calls of this run that iCIMS may have received.
func (r *Run) CallsMade() int { return int(r.calls.Load()) }

// RunNow makes the customer's scheduled exports due now.
func (r *Run) RunNow() { r.tasks.RunNow(r.Customer) }

// DummyDomain returns the domain of generated addresses for the customer.
func (r *Run) DummyDomain() string {
	if d := r.Conn.DummyDomain; d != "" {
		return d
	}
	return r.tasks.DummyDomain
}

// Report records an intermediate result. It fails with store.ErrControlTaskLost if another run
// has started.
func (r *Run) Report(ctx context.Context, result any) error {
	if data, err := json.Marshal(result); err == nil {
		r.Result = data
	}
	return r.tasks.Ledger.Control.Step(ctx, r.claim, store.ControlStep{Result: result, Calls: r.CallsMade()})
}

// ErrExportWaits means that the export has not ended, for lack of time or because calls are not
// allowed. The ledger has the reason.
var ErrExportWaits = errors.New("the export waits")

// ExportSettled returns the maximum time to wait for an export. A write with a lost response is
// looked up after the settle time.
func (r *Run) ExportSettled() time.Duration {
	return r.Conn.Profile.SettleTime(r.tasks.SettleTime) + 30*time.Second
}

// Export takes an export of the ledger through the stages. It needs no task and no open lane, and
// a pause does not block it. Intents, markers and locks apply as usual. It returns nil when the
// export has ended, whatever the outcome, or ErrExportWaits if it would not end in time.
func (r *Run) Export(ctx context.Context, ref store.Ref, within time.Duration) error {
	l, err := r.lane()
	if err != nil {
		return err
	}
	return l.Export(ctx, ref, within)
}

// Rest waits for d. Meanwhile the run does not count as running.
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

// failure is the cause of a failed task, with the recorded code.
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

// do runs the work of a task and records its end.
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
	r.Log.Info().Dur("took_ms", time.Since(start)).Int("calls", r.CallsMade()).Msg("control task done")
	write(r.task, fmt.Sprintf("done, calls to iCIMS: %d", r.CallsMade()))
	return nil
}

// fail records a failed task.
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

// record records the end of a run. It has its own timeout, since the run's context may have
// ended.
func (t *Tasks) record(r *Run, s store.ControlStep) error {
	ctx, cancel := context.WithTimeout(context.Background(), recordTime)
	defer cancel()
	err := t.Ledger.Control.Step(ctx, r.claim, s)
	switch {
	case errors.Is(err, store.ErrControlTaskLost):
		return t.lost(r)
	case err != nil:
		r.Log.Warn().Err(err).Fields(store.LogFields(err)).Msg("could not record the result of a control task; it runs again")
		return redeliver.Waiting(waitsForRecord, faultPause)
	}
	return nil
}

// lost ends a run whose task another run has started. asynq ignores the returned error, unless
// Redis lost writes; then the task runs again.
func (t *Tasks) lost(r *Run) error {
	r.Log.Warn().Msg("control task restarted by another worker")
	t.Ended(r.Kind, EndLost)
	return redeliver.Waiting(waitsForRun, faultPause)
}

// write writes a task's result for asynq's web UI.
func write(task *asynq.Task, text string) {
	if w := task.ResultWriter(); w != nil {
		_, _ = w.Write([]byte(text)) // the record has it
	}
}
