package worker

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// record is the end of the pipeline: it writes the outcome into the ledger and
// tells the queue when the export wants to come back.
type record struct{ *lane }

func (r record) exec(ctx context.Context, x *export, o outcome) (after time.Duration, again bool, err error) {
	r.note(x, o)
	x.journey.ended(o)
	switch o.kind {
	case released:
		r.observe(x, o)
		return o.after, o.after > 0, nil
	case fault:
		r.observe(x, o)
		return 0, false, o.err
	default:
	}
	if x.claim == nil { // put off before the claim
		r.observe(x, o)
		return max(o.after, time.Second), true, nil
	}
	// While other calls succeed, denied access is about a right that this export needs,
	// unless iCIMS says that the user may do nothing at all.
	if e, ok := errors.AsType[*icims.Error](o.err); ok && o.kind == deferred && e.Class == icims.ClassAccess &&
		e.Reason != icims.ReasonNotAuthorized && r.gate.worksLately() {
		o.kind = dead
	}
	if o.kind == done {
		r.throttle.succeeded()
	}
	r.heed(o)
	if o.kind == retry || o.kind == unknown {
		o = r.retries.decide(x.claim, o)
	}
	x.journey.ended(o)
	calls := r.meter.take(x)
	write := func(ctx context.Context) error { return r.write(ctx, x, o, calls) }
	switch recorded := r.recordSurely(ctx, write); recorded.kind {
	case fault:
		x.journey.ended(recorded)
		r.observe(x, recorded)
		return 0, false, recorded.err
	case released:
		r.observe(x, recorded)
	default:
		r.observe(x, o)
	}
	again = o.kind == deferred || o.kind == retry || o.kind == unknown
	return o.after, again, nil
}

// panicked records that recording an outcome panicked, with nothing that could panic
// again. What was written to iCIMS stays open, and is looked into.
func (r record) panicked(ctx context.Context, x *export, was outcome) (after time.Duration, again bool, err error) {
	if x.claim == nil {
		return faultPause, true, nil
	}
	o := panicked(x.claim, was.err)
	o = r.retries.decide(x.claim, o)
	hold := store.Hold{To: store.Retrying, Delay: o.after, Reason: o.reason, Attempts: 1, Panics: 1}
	if o.kind == unknown {
		hold.To = store.Unknown
	}
	recorded := r.recordSurely(ctx, func(ctx context.Context) error {
		if o.kind == dead {
			return r.ledger.Finish(ctx, x.claim, store.Finish{To: store.Dead, Counter: store.CountDead, Reason: o.reason, Person: int64(x.personID)})
		}
		return r.ledger.Hold(ctx, x.claim, hold)
	})
	return o.after, o.kind != dead && recorded.kind != released, recorded.err
}

func (r record) write(ctx context.Context, x *export, o outcome, calls int) error {
	warnings := x.warnings.Codes()
	entry := r.story(x, o)
	hold := store.Hold{Delay: o.after, Reason: o.reason, Calls: calls, Warnings: warnings, Entry: entry}
	if o.panicked {
		hold.Panics = 1
	}
	end := store.Finish{Reason: o.reason, Person: int64(x.personID), Calls: calls, Warnings: warnings, Entry: entry}
	switch o.kind {
	case done:
		end.To, end.Counter = store.Done, store.CountUpdated
		if x.personMade {
			end.Counter = store.CountCreated
		}
		if x.isJob() {
			end.Job, end.Workflow = int64(x.job), int64(o.workflow)
		}
		end.Sent = r.sentDigests(x)
		return r.ledger.Finish(ctx, x.claim, end)
	case skipped:
		end.To, end.Counter, end.Person = store.Skipped, store.CountSkipped, x.claim.Marker.Person
		return r.ledger.Finish(ctx, x.claim, end)
	case dead:
		end.To, end.Counter = store.Dead, store.CountDead
		return r.ledger.Finish(ctx, x.claim, end)
	case deferred:
		hold.To = store.Deferred
		return r.ledger.Hold(ctx, x.claim, hold)
	case retry:
		hold.To, hold.Attempts, hold.Forget = store.Retrying, 1, o.forget
		return r.ledger.Hold(ctx, x.claim, hold)
	default: // unknown
		hold.To, hold.Attempts = store.Unknown, 1
		return r.ledger.Hold(ctx, x.claim, hold)
	}
}

// comeBackLater gives the export a task of its own. Where that fails, a turn will
// come to it all the same, or the reconciler.
func (r record) comeBackLater(ctx context.Context, x *export, after time.Duration) error {
	o := r.recordSurely(ctx, func(ctx context.Context) error {
		return r.later(ctx, x.ref.Customer, tasks.Alarm{Export: x.ref.Export, Generation: x.generation}, after)
	})
	return o.err
}

// recordTime is for how long a record that iCIMS's answer depends on is tried:
// shorter than the lease, so that no other worker begins meanwhile.
const recordTime = 15 * time.Second

// recordSurely writes what has happened even while the worker is being stopped,
// and again while Redis fails: what is not recorded has to be searched for.
func (l *lane) recordSurely(ctx context.Context, write func(context.Context) error) outcome {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(recordTime, l.settings.Lease/2))
	defer cancel()
	pause := backoff.WithContext(backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond), backoff.WithRandomizationFactor(0)), ctx)
	err := backoff.Retry(func() error {
		err := write(ctx)
		if errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrGone) || errors.Is(err, store.ErrIllegalMove) || errors.Is(err, store.ErrWentBack) {
			return backoff.Permanent(err)
		}
		return err
	}, pause)
	if err != nil {
		return ledgerFault(err)
	}
	return outcome{}
}

// note logs the outcome. An error of the client names operation, status and
// codes, and nothing of the candidate.
func (r record) note(x *export, o outcome) {
	event := r.log.Debug()
	if o.kind == dead || o.kind == fault || o.reason == store.ReasonPayloadSealed || o.reason == store.ReasonPayloadMissing {
		event = r.log.Warn()
	}
	event = event.Str("export", x.ref.Export).Stringer("outcome", o.kind)
	if x.claim != nil && x.claim.Candidate != "" {
		event = event.Str("batch", string(x.claim.Batch)).Str("candidate", x.claim.Candidate)
	}
	if o.reason != "" {
		event = event.Str("reason", string(o.reason))
	}
	if id := x.journey.id(); id != "" {
		event = event.Str("trace", id)
	}
	if e, ok := errors.AsType[*icims.Error](o.err); ok {
		event = event.Str("call", e.Error())
	} else if o.err != nil {
		event = event.Err(o.err)
	}
	event.Msg("export handled")
}
