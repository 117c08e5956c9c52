package worker

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/store"
)

// outcome is what a stage has to say. Its zero value means: go on with the next
// stage.
type outcome struct {
	kind   kind
	reason store.Reason
	// after is when to come back, for deferred, retry and unknown; a retry
	// without it backs off by the number of attempts.
	after time.Duration
	// forget drops the person recorded for the export, for a retry.
	forget bool
	// workflow is set by Attach for a done export to a job.
	workflow icims.WorkflowID
	// panicked counts a panic against the export.
	panicked bool
	// ended is set where there was nothing to do: the export had ended, or is a dead letter.
	ended store.State
	// err is the cause: of the log line, and what the queue is told of a fault.
	err error
}

type kind uint8

const (
	proceed  kind = iota
	done          // in iCIMS
	skipped       // nothing to do
	deferred      // not now; not an attempt
	retry         // a transient fault before anything was written, or a safe call
	unknown       // a write whose answer was lost
	dead          // permanent
	released      // this worker has nothing to record: another one holds the export, or it has ended
	fault         // Redis or this service failed; nothing can be recorded
)

var kindNames = [...]string{"proceed", "done", "skipped", "deferred", "retry", "unknown", "dead", "released", "fault"}

func (k kind) String() string { return kindNames[k] }

// ledgerFault turns an error of the ledger into an outcome. A stale claim is no
// fault: another worker has the export.
func ledgerFault(err error) outcome {
	if errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrGone) {
		return outcome{kind: released, err: err}
	}
	if errors.Is(err, store.ErrWentBack) {
		return outcome{kind: deferred, reason: store.ReasonRedisWentBack, after: time.Second, err: err}
	}
	return outcome{kind: fault, reason: store.ReasonInternal, err: err}
}

// stopped is the outcome of an export that waited for another one when its worker
// was stopped, or when it lost its claim.
func stopped(ctx context.Context) outcome {
	cause := context.Cause(ctx)
	if errors.Is(cause, store.ErrStale) || errors.Is(cause, store.ErrGone) {
		return outcome{kind: released, err: cause}
	}
	return outcome{kind: deferred, reason: store.ReasonShuttingDown, after: time.Second, err: cause}
}

// probePause is when iCIMS is asked again after a bare 429.
const probePause = 10 * time.Minute

// failed turns an error of a call into an outcome, by its class.
func failed(err error) outcome {
	if d, ok := errors.AsType[*doubt](err); ok {
		return d.outcome()
	}
	if _, thrown := errors.AsType[*panics.Error](err); thrown { // in a look-up
		return outcome{kind: retry, reason: store.ReasonPanicked, panicked: true, err: err}
	}
	e, ok := errors.AsType[*icims.Error](err)
	if !ok {
		return outcome{kind: retry, reason: store.ReasonInternal, err: err}
	}
	o := outcome{reason: store.Reason(e.Reason), after: e.RetryAfter, err: err}
	switch e.Class {
	case icims.ClassUnknown:
		o.kind, o.reason = unknown, store.ReasonWriteSettling
	case icims.ClassDefer, icims.ClassCredentials:
		o.kind = deferred
		// A refusal that says nothing about the budget need not be about the day.
		if !e.Rate.Known && e.Status == http.StatusTooManyRequests {
			o.after = min(o.after, probePause)
		}
	case icims.ClassAccess:
		// 403 is a verdict on the account or the address, unless other calls work: then
		// the recording makes a dead letter of it. 404 with code 3 is about this one record.
		o.kind = dead
		if e.Status != 404 || e.Reason == icims.ReasonNotAuthorized {
			o.kind = deferred
		}
	case icims.ClassPermanent:
		o.kind = dead
	case icims.ClassRetry:
		o.kind = retry
		if e.Reason == icims.ReasonCanceled {
			o.kind, o.reason = deferred, store.ReasonShuttingDown
		}
	default:
		o.kind = retry
	}
	return o
}

// doubt is the error of a question to iCIMS whose answer tells neither yes nor no:
// nothing is created on it.
type doubt struct {
	reason store.Reason
	// passes is set where asking again may help.
	passes bool
	err    error // the cause, or nil
}

func (d *doubt) Error() string { return "in doubt: " + d.reason.Info().Title }

// Unwrap returns the cause.
func (d *doubt) Unwrap() error { return d.err }

// outcome retries what may pass, and gives up the rest.
func (d *doubt) outcome() outcome {
	o := outcome{kind: dead, reason: d.reason, err: d}
	if d.passes {
		o.kind = retry
	}
	return o
}
