package worker

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// record is the last stage: it writes the outcome to the ledger.
type record struct{ *lane }

// exec records an outcome and returns it as recorded.
func (r record) exec(ctx context.Context, x *export, o outcome) outcome {
	r.note(x, o)
	if o.kind == released || o.kind == fault || x.claim == nil {
		x.trace.setOutcome(o)
		r.observe(x, o)
		return o
	}
	o, certain := r.whileOthersSucceed(ctx, x, o)
	if o.kind == done {
		r.throttle.succeeded()
	}
	if certain {
		r.noteVerdict(o)
	}
	if o.kind == retry || o.kind == unknown {
		o = r.retries.decide(x.claim, o)
	}
	calls := int(x.calls.Swap(0))
	if failed := r.recordSurely(ctx, func(ctx context.Context) error { return r.write(ctx, x, o, calls) }); failed.kind != proceed {
		o = failed
	}
	x.trace.setOutcome(o)
	r.observe(x, o)
	return o
}

// whileOthersSucceed judges a 403 while other calls succeed: it means a right that this export needs,
// unless iCIMS says that the user has no rights at all. The others may have succeeded just before the
// account was blocked, so the export is repeated, and after a second 403 a search tells: every account
// that exports may search. certain means that the outcome says something about the account.
func (r record) whileOthersSucceed(ctx context.Context, x *export, o outcome) (judged outcome, certain bool) {
	e, ok := errors.AsType[*icims.Error](o.err)
	if !ok || o.kind != deferred || e.Class != icims.ClassAccess || e.Reason == icims.ReasonNotAuthorized || !r.limiter.SucceededRecently() {
		return o, true
	}
	if e.RefusesSearch() { // for now, or because of the address
		o.kind, o.reason = retry, store.Reason(icims.ReasonSearchRefused)
		return o, true
	}
	if x.claim.Reason != o.reason && !r.control {
		o.after = max(o.after, r.settings.RetryMin)
		return o, false
	}
	_, _, err := r.client.SearchPeople(ctx, icims.EmailQuery(icims.OpExact, x.payload.Candidate.Email))
	if err == nil {
		o.kind = dead
		return o, true
	}
	o.after = max(o.after, min(time.Minute, r.settings.RetryMax)) // by then the limiter has closed
	return o, icims.ClassOf(err) == icims.ClassAccess
}

// panicked records an export whose recording panicked, with code that cannot panic again. A write
// to iCIMS stays open and is checked later.
func (r record) panicked(ctx context.Context, x *export, was outcome) outcome {
	if x.claim == nil {
		return outcome{kind: fault, reason: store.ReasonPanicked, err: was.err}
	}
	o := r.retries.decide(x.claim, panicked(x.claim, was.err))
	hold := store.Hold{To: store.Retrying, Delay: o.after, Reason: o.reason, Attempts: 1, Panics: 1}
	if o.kind == unknown {
		hold.To = store.Unknown
	}
	failed := r.recordSurely(ctx, func(ctx context.Context) error {
		if o.kind == dead {
			return r.ledger.Finish(ctx, x.claim, store.Finish{To: store.Dead, Counter: store.CountDead, Reason: o.reason, Person: int64(x.personID)})
		}
		return r.ledger.Hold(ctx, x.claim, hold)
	})
	if failed.kind != proceed {
		return failed
	}
	return o
}

func (r record) write(ctx context.Context, x *export, o outcome, calls int) error {
	warnings := x.warnings.Codes()
	entry := r.timelineEntry(x, o)
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

// recordTime bounds the retries of a record. It is shorter than the lease, so that no other
// worker starts meanwhile.
const recordTime = 15 * time.Second

// recordSurely writes a record even while the worker stops, and retries while Redis fails: a
// write that is not recorded has to be searched for.
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

// note logs the outcome. A client error names operation, status and codes, and nothing about the
// candidate.
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
	if id := x.trace.traceID(); id != "" {
		event = event.Str("trace", id)
	}
	if e, ok := errors.AsType[*icims.Error](o.err); ok {
		event = event.Str("call", e.Error())
	} else if o.err != nil {
		event = event.Err(o.err)
	}
	event.Msg("export handled")
}

// timelineEntry returns the timeline entry of this attempt, or nil. An export that ended without
// trouble needs none, nor does one deferred again for the same reason.
func (r record) timelineEntry(x *export, o outcome) *store.Entry {
	smooth := (o.kind == done || o.kind == skipped) && x.claim.Attempts == 0 && x.claim.Intent == store.NoIntent && !x.warnings.Owes()
	repeated := o.kind == deferred && o.reason == x.claim.Reason && len(x.findings) == 0
	if smooth || repeated {
		return nil
	}
	e := x.entry(r.now(), o.kind.String())
	e.Reason = o.reason
	if o.kind == retry || o.kind == unknown || o.kind == deferred {
		e.Again = int64(o.after.Round(time.Second) / time.Second)
	}
	if failure, ok := errors.AsType[*icims.Error](o.err); ok {
		e.Calls = append(e.Calls, called(failure))
	}
	return e
}

// entry returns an entry with the attempt's findings.
func (x *export) entry(now time.Time, what string) *store.Entry {
	return &store.Entry{At: now, What: what, Attempt: x.claim.Attempts + 1, Findings: x.findings}
}

// called describes a failed call, with iCIMS's message: the entry is sealed.
func called(e *icims.Error) store.Called {
	c := store.Called{
		Op: e.Op, Status: e.Status, Reason: string(e.Reason), Sent: e.Sent.String(), Transaction: e.Transaction,
	}
	for _, p := range e.Problems {
		c.Problems = append(c.Problems, p.String()+": "+p.Text())
	}
	return c
}
