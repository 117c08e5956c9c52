package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// What workers do with control tasks. asynq decides who runs one and when. The fencing
// token in the record makes it harmless that asynq may start a task again while an earlier
// run still goes on: the last run that began has the task.

// ControlClaim is a control task that a worker has begun.
type ControlClaim struct {
	ControlTask

	token string
}

// BeginControlTask begins a control task. try counts its runs, from 1; runs that were
// handed back do not count. Earlier runs of the task can record nothing after this. It
// returns ErrControlTaskLost if the task has ended or is gone. With ErrSealed it returns a
// claim nonetheless, for StepControlTask.
func (l *Ledger) BeginControlTask(ctx context.Context, customer string, kind ControlKind, id string, try int) (ControlClaim, error) {
	answer, err := l.run(ctx, stepControlScript, controlKey(customer, id), "", "", 0, "", "", try)
	switch {
	case err != nil:
		return ControlClaim{}, err
	case text(answer[0]) != "ok":
		return ControlClaim{}, ErrControlTaskLost
	}
	t, err := l.readControlTask(customer, id, pairs(answer[2]))
	t.ID, t.Customer, t.Kind = id, customer, kind // also of one that cannot be opened
	return ControlClaim{ControlTask: t, token: text(answer[1])}, err
}

// ControlStep is what a worker records about a control task that it has begun.
type ControlStep struct {
	// Result is what was found so far, or in the end; nil leaves it. It is encoded as JSON.
	Result any
	Calls  int
	// To ends the task, or hands it back (ControlWaiting). Empty: it goes on.
	To      ControlState
	Failure ControlFailure
}

// ErrControlTaskLost: the task has ended, or was begun again elsewhere.
var ErrControlTaskLost = errors.New("ledger: the control task has ended, or another worker runs it")

// StepControlTask records a step. It returns ErrControlTaskLost if the claim no longer
// holds.
func (l *Ledger) StepControlTask(ctx context.Context, c ControlClaim, s ControlStep) error {
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

// LeftErrand is a control task that a version with a queue of its own left.
type LeftErrand struct {
	Customer string
	Kind     ControlKind
	// Due is when to run it: at once, or when the lease of the worker that ran it ends.
	Due    time.Time
	member string
}

// LeftErrands lists the control tasks that a version with a queue of its own left.
func (l *Ledger) LeftErrands(ctx context.Context) ([]LeftErrand, error) {
	found, err := l.redis.ZRangeWithScores(ctx, errandsKey, 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list data of the previous version: %w", err)
	}
	left := make([]LeftErrand, len(found))
	for i, z := range found {
		customer, kind, _ := strings.Cut(member(z), ":")
		left[i] = LeftErrand{customer, ControlKind(kind), time.UnixMicro(int64(z.Score)), member(z)}
	}
	return left, nil
}

// ForgetErrand takes one off that queue, once it is enqueued as a task.
func (l *Ledger) ForgetErrand(ctx context.Context, e LeftErrand) error {
	return wrapped("forget what the previous version left", l.redis.ZRem(ctx, errandsKey, e.member).Err())
}
