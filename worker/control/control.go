// Package control runs control tasks: verifications, job list refreshes and read-backs. They are
// asynq tasks of a queue that every worker serves outside the lanes, so they run even if the
// customer's lane is closed. asynq gives each task to one process, renews its lease, and gives it
// to another process if that one dies. The ledger keeps arguments, progress and result.
package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker/redeliver"
)

// Work defines how control tasks of a kind run.
type Work struct {
	// Do runs a task. Its result is recorded as JSON, also after an error. It must tolerate being
	// repeated after an interruption, and while an earlier run is still in progress.
	Do func(ctx context.Context, r *Run) (result any, err error)
	// Abandon, if set, is called when a task has failed. r.Failure is the cause, r.Result the
	// last report.
	Abandon func(ctx context.Context, r *Run)
	// AtOnce is the maximum number of concurrent tasks of the kind per process; 0 means 4.
	AtOnce int
}

const (
	defaultAtOnce = 4
	// expiresAfter is how long a task may wait for a worker.
	expiresAfter = time.Hour
	// orphanedAfter is how long a task waits for a process with the customer's connection.
	orphanedAfter = 15 * time.Second
	// faultPause is the delay after a fault of Redis.
	faultPause = 5 * time.Second
	recordTime = 3 * time.Second
)

// Config configures the control tasks of a worker process.
type Config struct {
	Ledger      *store.Ledger
	Hosts       icims.HostPolicy
	Limits      store.Limits // for connections without limits of their own
	SettleTime  time.Duration
	DummyDomain string
	LookupBatch int
	Log         zerolog.Logger
	// FileConnection returns a customer's connection from the connections file.
	FileConnection func(customer string) (store.Connection, bool)
	// Open opens a lane for a task, and counts its calls.
	Open func(conn store.Connection, kind store.ControlKind, calls *atomic.Int64, log zerolog.Logger) (Lane, error)
	// Ended is called after each run.
	Ended func(kind store.ControlKind, how End)
	// Begin prepares the context of a run. end is called with the run's end, failure and calls.
	Begin func(ctx context.Context, t store.ControlTask) (running context.Context, end func(End, store.ControlFailure, int))
	// RunNow makes the customer's scheduled exports due now.
	RunNow func(customer string)
}

// Lane gives a run access to a customer's iCIMS.
type Lane interface {
	Client() *icims.Client
	// Export takes an export through the stages, see [Run.Export].
	Export(ctx context.Context, ref store.Ref, within time.Duration) error
	Close()
}

// End is how a run ended.
type End string

// Ends of runs.
const (
	EndDone       End = "done"
	EndFailed     End = "failed"
	EndLost       End = "lost"        // to another run of the task
	EndHandedBack End = "handed_back" // because the worker stops
)

// Ends lists all ends.
func Ends() []End { return []End{EndDone, EndFailed, EndLost, EndHandedBack} }

// Tasks runs the control tasks of a process. It is an asynq handler.
type Tasks struct {
	Config

	kinds    map[store.ControlKind]Work
	stopping context.Context //nolint:containedctx // the process's life
	stop     context.CancelFunc

	mu      sync.Mutex
	running map[store.ControlKind]int
}

// New returns the control tasks of a process. Add kinds with Serve.
func New(c Config) *Tasks {
	t := &Tasks{Config: c, kinds: map[store.ControlKind]Work{}, running: map[store.ControlKind]int{}}
	t.stopping, t.stop = context.WithCancel(context.Background())
	return t
}

// Serve makes the process run tasks of a kind. Call it before the server starts.
func (t *Tasks) Serve(kind store.ControlKind, work Work) {
	if work.AtOnce == 0 {
		work.AtOnce = defaultAtOnce
	}
	t.kinds[kind] = work
}

// Stop makes running tasks return to the queue.
func (t *Tasks) Stop() { t.stop() }

// Running counts the running tasks by kind.
func (t *Tasks) Running() map[store.ControlKind]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.running)
}

// Why a task waits, as its last error in asynq's web UI.
const (
	waitsForKind       = "waiting for a worker that runs tasks of this kind"
	waitsForPlace      = "waiting: the worker is at its limit for tasks of this kind"
	waitsForConnection = "waiting for a worker that has the customer's connection"
	waitsForRedis      = "waiting: Redis failed; the worker's log has it"
	waitsForRecord     = "its result could not be recorded; it runs again"
	waitsForRun        = "another worker restarted it"
	waitsForStop       = "the worker stopped; another one takes over"
)

// Waits lists the reasons for waiting.
func Waits() []string {
	return []string{waitsForKind, waitsForPlace, waitsForConnection, waitsForRedis, waitsForRecord, waitsForRun, waitsForStop}
}

var errStopping = errors.New("the worker is stopping")

// jitter returns a random duration between d and 2d.
func jitter(d time.Duration) time.Duration { return d + rand.N(d) }

// ProcessTask runs a control task. A failed task is complete for asynq; its record has the cause.
// A panic archives the task with a fixed text.
func (t *Tasks) ProcessTask(ctx context.Context, task *asynq.Task) error {
	taskID, _ := asynq.GetTaskID(ctx)
	customer, kind, id, err := tasks.ParseControl(task, taskID)
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	log := t.Log.With().Str("customer", customer).Str("kind", string(kind)).Str("control_task", id).Logger()
	var outcome error
	err = panics.Logged(log, "control task", func() error {
		outcome = t.process(ctx, task, customer, kind, id, log)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	return outcome
}

func (t *Tasks) process(ctx context.Context, task *asynq.Task, customer string, kind store.ControlKind, id string, log zerolog.Logger) error {
	work, known := t.kinds[kind]
	switch {
	case !known:
		return redeliver.Waiting(waitsForKind, faultPause)
	case t.stopping.Err() != nil:
		return redeliver.Waiting(waitsForStop, 0)
	case !t.take(kind, work.AtOnce):
		return redeliver.Waiting(waitsForPlace, jitter(time.Second))
	}
	defer t.add(kind, -1)
	conn, revision, connErr := t.connectionOf(ctx, customer)
	unusable, ok := errors.AsType[*failure](connErr)
	if connErr != nil && !ok {
		log.Error().Err(connErr).Fields(store.LogFields(connErr)).Msg("control task waits: cannot read its connection")
		return redeliver.Waiting(waitsForRedis, faultPause)
	}
	try, last := tasks.ControlAttempt(ctx)
	claim, err := t.Ledger.Control.Begin(ctx, customer, kind, id, try)
	switch {
	case errors.Is(err, store.ErrControlTaskLost):
		write(task, "ended before")
		return nil
	case err != nil && !errors.Is(err, store.ErrSealed):
		log.Error().Err(err).Fields(store.LogFields(err)).Msg("control task waits: cannot start it")
		return redeliver.Waiting(waitsForRedis, faultPause)
	}
	r := t.newRun(claim, task, conn, revision, log)
	defer func() { r.close() }() // set once the run has a client
	switch {
	case err != nil: // its arguments cannot be decrypted
		return t.fail(ctx, r, nil, &failure{store.ControlSealed, err})
	case last:
		return t.fail(ctx, r, nil, &failure{store.ControlGaveUp, errors.New("its workers died")})
	case claim.Began.Sub(claim.Asked) > expiresAfter:
		return t.fail(ctx, r, nil, &failure{store.ControlExpired, errors.New("no worker started it")})
	case unusable != nil && unusable.why == store.ControlNoConnection && !t.orphaned(ctx, claim):
		return t.passOn(r)
	case unusable != nil:
		return t.fail(ctx, r, nil, unusable)
	}
	return t.do(ctx, r, work)
}

// take reserves a slot for a task of a kind.
func (t *Tasks) take(kind store.ControlKind, atOnce int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running[kind] >= atOnce {
		return false
	}
	t.running[kind]++
	return true
}

func (t *Tasks) add(kind store.ControlKind, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running[kind] += n
}

// orphaned reports whether a task has waited long enough for a process with the customer's
// connection.
func (t *Tasks) orphaned(ctx context.Context, c store.ControlClaim) bool {
	now, err := t.Ledger.Now(ctx)
	return err == nil && now.Sub(c.Began) >= orphanedAfter
}

// passOn returns a task to the queue, for a process with the customer's connection.
func (t *Tasks) passOn(r *Run) error {
	if err := t.record(r, store.ControlStep{To: store.ControlWaiting}); err != nil {
		return err
	}
	return redeliver.Waiting(waitsForConnection, 0)
}

// connectionOf reads a customer's connection from the store, since this process may not have
// loaded its last change. Customers that the store does not have use the connections file.
func (t *Tasks) connectionOf(ctx context.Context, customer string) (store.Connection, int64, error) {
	c, err := t.Ledger.Connections.Get(ctx, customer)
	switch {
	case errors.Is(err, store.ErrNoConnection):
		conn, known := t.FileConnection(customer)
		if !known {
			return store.Connection{}, 0, &failure{store.ControlNoConnection, err}
		}
		conn, err = t.Ledger.Connections.WithProfile(ctx, conn)
		return conn, 0, err
	case errors.Is(err, store.ErrSealed):
		return store.Connection{}, 0, &failure{store.ControlSealed, err}
	case err != nil:
		return store.Connection{}, 0, err
	case !c.Below().Kept():
		return store.Connection{}, 0, &failure{store.ControlNoConnection, errors.New("the connection was removed")}
	}
	conn := c.WithLimits(c.Limits.Or(t.Limits)).WithDefaults()
	conn.Stored = true
	return conn, c.Revision, nil
}
