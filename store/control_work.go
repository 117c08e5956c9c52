package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// asynq decides which worker runs a control task and when. It may start a task again while an
// earlier run is still in progress. The fencing token in the record makes that harmless: the last
// run to begin owns the task.

// ControlClaim is a control task that a worker has begun.
type ControlClaim struct {
	ControlTask

	token string
}

// Begin begins a control task. try counts its runs from 1, without runs that returned it
// to the queue. Earlier runs can record nothing after this. It returns ErrControlTaskLost if the
// task has ended or is gone. With ErrSealed it still returns a claim, for StepControlTask.
func (l *Control) Begin(ctx context.Context, customer string, kind ControlKind, id string, try int) (ControlClaim, error) {
	answer, err := l.run(ctx, stepControlScript, controlKey(customer, id), "", "", 0, "", "", try)
	switch {
	case err != nil:
		return ControlClaim{}, err
	case text(answer[0]) != "ok":
		return ControlClaim{}, ErrControlTaskLost
	}
	t, err := l.readControlTask(customer, id, pairs(answer[2]))
	t.ID, t.Customer, t.Kind = id, customer, kind // set even if the task cannot be opened
	return ControlClaim{ControlTask: t, token: text(answer[1])}, err
}

// ControlStep is an update to a control task that the worker has begun.
type ControlStep struct {
	// Result is the partial or final result, encoded as JSON; nil keeps the current one.
	Result any
	Calls  int
	// To ends the task, or returns it to the queue (ControlWaiting). Empty: the task keeps running.
	To      ControlState
	Failure ControlFailure
}

// ErrControlTaskLost means the task has ended or another worker has begun it.
var ErrControlTaskLost = errors.New("ledger: the control task has ended, or another worker runs it")

// Step records a step. It returns ErrControlTaskLost if the claim is no longer valid.
func (l *Control) Step(ctx context.Context, c ControlClaim, s ControlStep) error {
	key := controlKey(c.Customer, c.ID)
	result, err := l.sealJSON(s.Result, key)
	if err != nil {
		return err
	}
	answer, err := l.run(ctx, stepControlScript, key, c.token, result, s.Calls, string(s.To), string(s.Failure), "")
	if err == nil && text(answer[0]) != "ok" {
		err = ErrControlTaskLost
	}
	return err
}

// OldErrand is a control task left in the queue of an earlier version.
type OldErrand struct {
	Customer string
	Kind     ControlKind
	// Due is when to run it: immediately, or when the lease of its worker ends.
	Due    time.Time
	member string
}

// OldErrands lists the control tasks left in the queue of an earlier version.
func (l *Recovery) OldErrands(ctx context.Context) ([]OldErrand, error) {
	found, err := l.redis.ZRangeWithScores(ctx, errandsKey, 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list data of the previous version: %w", err)
	}
	left := make([]OldErrand, len(found))
	for i, z := range found {
		customer, kind, _ := strings.Cut(member(z), ":")
		left[i] = OldErrand{customer, ControlKind(kind), time.UnixMicro(int64(z.Score)), member(z)}
	}
	return left, nil
}

// DeleteOldErrand removes a task from that queue after it was enqueued in asynq.
func (l *Recovery) DeleteOldErrand(ctx context.Context, e OldErrand) error {
	return wrapped("forget what the previous version left", l.redis.ZRem(ctx, errandsKey, e.member).Err())
}
