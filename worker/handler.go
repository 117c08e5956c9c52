package worker

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/traces"
	"github.com/seekout/icims-export/worker/intake"
	"github.com/seekout/icims-export/worker/limiter"
	"github.com/seekout/icims-export/worker/redeliver"
)

// handler is the asynq handler of a lane. Its return value decides what asynq does with the task
// and what asynq's web UI shows:
//
//	created, updated, skipped  nil, with a result   completed
//	deferred or retried        redeliver.Error      retry
//	dead letter                asynq.SkipRetry      archived
type handler struct {
	lane     *lane
	pipeline *pipeline
	queues   *tasks.Queues
	// refuser erases tasks that do not refer to exports.
	refuser *intake.Handler
}

// ProcessTask takes one export through the pipeline. It recovers panics: asynq would store their
// text.
func (h *handler) ProcessTask(ctx context.Context, t *asynq.Task) error {
	err := panics.Logged(h.lane.log, "export", func() error { return h.process(ctx, t) })
	_, redelivery := errors.AsType[*redeliver.Error](err)
	if err == nil || redelivery || errors.Is(err, asynq.SkipRetry) || errors.Is(err, asynq.RevokeTask) {
		return err
	}
	return redeliver.Failed(store.ReasonInternal.Info().Title, faultPause)
}

func (h *handler) process(ctx context.Context, t *asynq.Task) error {
	ref, err := tasks.ParseTask(t)
	switch {
	case err != nil && h.refuser == nil:
		return &archiveError{err.Error()}
	case err != nil:
		return h.refuser.Refuse(ctx, t)
	}
	if h.lane.refuse(ctx, ref) {
		return nil // if the export exists, it has another task
	}
	queue, _ := asynq.GetQueueName(ctx)
	express := queue == tasks.QueueName(ref.Customer, store.ExpressQueue)
	if express {
		ctx = limiter.AsExpress(ctx)
	}
	if o := h.lane.ready(ctx); o.kind != proceed {
		return (&export{ref: ref}).redelivery(o, h.lane.now())
	}
	defer h.lane.startExport()()
	one := task{Ref: ref, Express: express, Parent: t.Headers()[traces.Header]}
	err = h.export(ctx, t, queue, one)
	if _, ended := errors.AsType[*archiveError](err); ended && t.ResultWriter().TaskID() != tasks.TaskID(ref) {
		return h.archiveOwn(ctx, ref)
	}
	return err
}

// export makes one attempt at an export.
func (h *handler) export(ctx context.Context, t *asynq.Task, queue string, one task) (err error) {
	x, o := h.pipeline.run(ctx, one)
	if o.ended == store.Dead {
		if x, o, err = h.retryDead(ctx, t, queue, one); err != nil {
			return err
		}
	}
	if o.kind == done && o.workflow != 0 {
		h.deleteSettled(ctx, x)
	}
	return h.answer(t, x, o)
}

// archiveOwn enqueues the original task of an export that became a dead letter in a substitute
// task. The original finds the dead letter and is archived.
func (h *handler) archiveOwn(ctx context.Context, ref store.Ref) error {
	records, err := h.lane.ledger.Recovery.States(ctx, ref.Customer, []string{ref.Export})
	if err != nil || records[0].State != store.Dead {
		return err
	}
	return h.queues.EnqueueMissing(ctx, tasks.ExportOf(records[0]))
}

// deleteSettled deletes the archived tasks of dead letters that an export has settled. The sweep
// deletes the rest.
func (h *handler) deleteSettled(ctx context.Context, x *export) {
	var settled []string
	records, err := h.lane.ledger.Recovery.States(ctx, x.ref.Customer, x.claim.WrongJob())
	for _, m := range records {
		if m.State == "" {
			settled = append(settled, m.Export)
		}
	}
	if len(settled) > 0 {
		err = h.queues.Delete(ctx, x.ref.Customer, settled...)
	}
	if err != nil {
		h.lane.log.Warn().Err(err).Msg("could not delete tasks of settled dead letters")
	}
}

// retryDead retries a dead letter if its archived task was run in asynq's web UI or command line.
// A task that asynq delivers for another reason is archived again.
func (h *handler) retryDead(ctx context.Context, t *asynq.Task, queue string, one task) (*export, outcome, error) {
	letter, err := h.lane.ledger.DeadLetters.Get(ctx, one.Ref)
	if err != nil {
		return nil, outcome{}, err
	}
	last, err := h.queues.LastError(queue, t.ResultWriter().TaskID())
	if err != nil {
		return nil, outcome{}, err
	}
	if !strings.HasPrefix(last, deadText) {
		return nil, outcome{}, deadError(letter.Reason)
	}
	err = h.lane.ledger.DeadLetters.Revive(ctx, one.Ref, "asynq", "its task was run")
	if err != nil && !errors.Is(err, store.ErrNotDead) {
		return nil, outcome{}, err
	}
	x, o := h.pipeline.run(ctx, one)
	return x, o, nil
}

// answer converts an outcome into the handler's return value.
func (h *handler) answer(t *asynq.Task, x *export, o outcome) error {
	if o.kind == dead {
		return deadError(o.reason)
	}
	if redelivery := x.redelivery(o, h.lane.now()); redelivery != nil {
		return redelivery
	}
	if h.lane.settings.TaskRetention > 0 {
		if _, err := t.ResultWriter().Write([]byte(x.result(o))); err != nil {
			h.lane.log.Debug().Err(err).Msg("could not write a task's result")
		}
	}
	return nil
}

const (
	// readyWithin is how long a handler waits for calls to open before it returns its task to the
	// queue. A lane whose calls are closed for longer closes in this time and takes no further
	// task.
	readyWithin = 5 * time.Second
	readyCheck  = 100 * time.Millisecond
)

// ready waits until exports may begin. If they still may not, it returns the reason. A waiting
// task does not count as running, so the lane can close.
func (l *lane) ready(ctx context.Context) outcome {
	var cause error // before the lane began to close
	for began := l.now(); ; {
		closing := l.limiter.Draining().Err() != nil
		err := l.admits(ctx)
		switch {
		case err == nil:
			return outcome{}
		case !closing:
			cause = err
		case cause == nil:
			cause = err
		}
		if closing || l.now().Sub(began) >= readyWithin {
			return failed(cause)
		}
		select {
		case <-ctx.Done():
			return stopped(ctx)
		case <-l.limiter.Draining().Done():
		case <-time.After(readyCheck):
		}
	}
}

// faultPause is the delay of an export whose outcome could not be recorded: Redis must recover
// and the lease must expire.
const faultPause = 5 * time.Second
