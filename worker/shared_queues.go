package worker

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker/control"
	"github.com/seekout/icims-export/worker/intake"
	"github.com/seekout/icims-export/worker/limiter"
	"github.com/seekout/icims-export/worker/redeliver"
)

const (
	// sharedConcurrency is how many tasks outside the lanes a process runs at once. Most of them
	// wait; each kind of control task has its own bound.
	sharedConcurrency = 128
	// sharedPoll is how often the shared queues are polled, sharedDelayedPoll how often for
	// scheduled tasks. They keep an idle process cheap.
	sharedPoll        = time.Second
	sharedDelayedPoll = 5 * time.Second
)

// ServeControl makes the worker run control tasks of a kind. Call it before Start.
func (w *Worker) ServeControl(kind store.ControlKind, work control.Work) {
	w.control.Serve(kind, work)
}

// newControl returns the control tasks of a worker.
func newControl(w *Worker) *control.Tasks {
	t := control.New(control.Config{
		Ledger: w.ledger, Hosts: w.hosts, Limits: w.settings.Limits, SettleTime: w.settings.SettleTime,
		DummyDomain: w.settings.DummyDomain, LookupBatch: w.settings.LookupBatch, Log: w.log,
		FileConnection: w.fileConnection, Open: w.openControl, Begin: w.beginControl, RunNow: w.runNow,
		Ended: func(kind store.ControlKind, how control.End) { w.observer.ControlTaskEnded(kind, how) },
	})
	// Reading the titles of a new list takes minutes. Other lists must not wait for it.
	const listsAtOnce = 16
	t.Serve(store.ControlJobs, control.Work{Do: w.refreshJobs, AtOnce: listsAtOnce})
	t.Serve(store.ControlReadBack, control.Work{Do: w.readBack})
	return t
}

// serveShared starts the server of the control and intake queues, so that a closed lane does not
// delay their tasks.
func (w *Worker) serveShared(ctx context.Context) error {
	if err := tasks.TakeOverErrands(ctx, w.redis, w.ledger); err != nil {
		return err
	}
	w.sharedServer = asynq.NewServerFromRedisClient(ackGuard{w.redis}, asynq.Config{
		Concurrency:              sharedConcurrency,
		Queues:                   map[string]int{tasks.ControlQueue: 3, tasks.IntakeQueue: 1},
		TaskCheckInterval:        sharedPoll,
		DelayedTaskCheckInterval: sharedDelayedPoll,
		ShutdownTimeout:          w.settings.ShutdownTimeout,
		RetryDelayFunc:           redeliver.RetryDelay,
		IsFailure:                redeliver.IsFailureOrDeath,
		Logger:                   queueLog{w.log.With().Str("part", "asynq").Logger()},
		LogLevel:                 asynq.WarnLevel,
	})
	if err := w.sharedServer.Start(w.sharedHandler()); err != nil {
		return fmt.Errorf("serve control and intake queues: %w", err)
	}
	return nil
}

// sharedHandler runs control and intake tasks. It refuses all others.
func (w *Worker) sharedHandler() asynq.Handler {
	intakes := w.intakes()
	return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		id, _ := asynq.GetTaskID(ctx)
		if _, _, _, err := tasks.ParseControl(t, id); err == nil {
			return w.control.ProcessTask(ctx, t)
		}
		return intakes.ProcessTask(ctx, t)
	})
}

func (w *Worker) intakes() *intake.Handler {
	return &intake.Handler{
		Redis: w.redis, Ledger: w.ledger, Producer: tasks.NewClient(w.redis, w.ledger, tasks.WithDummyDomain(w.settings.DummyDomain), tasks.WithTaskRetention(w.settings.TaskRetention)), Log: w.log,
		Ended: func(how intake.End) { w.observer.IntakeEnded(how) },
	}
}

// stopShared returns the tasks outside the lanes to their queues, and waits for that.
func (w *Worker) stopShared() {
	w.control.Stop()
	if w.sharedServer != nil {
		w.sharedServer.Shutdown()
	}
}

// fileConnection returns a customer's connection from the connections file.
func (w *Worker) fileConnection(customer string) (store.Connection, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	conn, known := w.connections[customer]
	return conn, known && !conn.Stored
}

// openControl opens a lane for a run of a control task.
func (w *Worker) openControl(conn store.Connection, kind store.ControlKind, calls *atomic.Int64, log zerolog.Logger) (control.Lane, error) {
	w.mu.Lock()
	// Runs must not share permits.
	l, err := w.assembleFor(conn, purpose{permits: w.id + "." + string(kind) + "." + rand.Text()[:6], control: calls, log: log})
	w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	spawnLoop(l.base, &l.background, l.log, "renewal of claims", l.leases.renew)
	return controlLane{l}, nil
}

// beginControl prepares the context of a run of a control task.
func (w *Worker) beginControl(ctx context.Context, t store.ControlTask) (context.Context, func(control.End, store.ControlFailure, int)) {
	return w.tracer.controlTask(limiter.AsExpress(ctx), t)
}
