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

// outcome is the result of a stage. The zero value means: continue with the next stage.
type outcome struct {
	kind   kind
	reason store.Reason
	// after is the delay for deferred, retry and unknown. A retry without it backs off by the
	// number of attempts.
	after time.Duration
	// forget removes the person recorded for the export, for a retry.
	forget bool
	// workflow is set by the attach stage for an export to a job.
	workflow icims.WorkflowID
	// panicked counts a panic of the export.
	panicked bool
	// ended is set if there was nothing to do: the export had ended, or is a dead letter.
	ended store.State
	// err is the cause, for the log.
	err error
}

type kind uint8

const (
	proceed  kind = iota
	done          // in iCIMS
	skipped       // nothing to do
	deferred      // not now; counts no attempt
	retry         // a transient fault before anything was written, or a safe call
	unknown       // a write whose response was lost
	dead          // permanent
	released      // nothing to record: another worker holds the export, or it has ended
	fault         // Redis or this service failed, so nothing can be recorded
)

var kindNames = [...]string{"proceed", "done", "skipped", "deferred", "retry", "unknown", "dead", "released", "fault"}

func (k kind) String() string { return kindNames[k] }

// ledgerFault converts an error of the ledger into an outcome. A stale claim is no fault: another
// worker has the export.
func ledgerFault(err error) outcome {
	if errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrGone) {
		return outcome{kind: released, err: err}
	}
	if errors.Is(err, store.ErrWentBack) {
		return outcome{kind: deferred, reason: store.ReasonRedisWentBack, after: time.Second, err: err}
	}
	return outcome{kind: fault, reason: store.ReasonInternal, err: err}
}

// stopped is the outcome of a waiting export whose worker stops, or which lost its claim.
func stopped(ctx context.Context) outcome {
	cause := context.Cause(ctx)
	if errors.Is(cause, store.ErrStale) || errors.Is(cause, store.ErrGone) {
		return outcome{kind: released, err: cause}
	}
	return outcome{kind: deferred, reason: store.ReasonShuttingDown, after: time.Second, err: cause}
}

// probePause is the delay after a 429 without rate-limit headers.
const probePause = 10 * time.Minute

// failed converts an error of a call into an outcome, by its class.
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
		// A 429 without rate-limit headers need not mean that the daily budget is used up.
		if !e.Rate.Known && e.Status == http.StatusTooManyRequests {
			o.after = min(o.after, probePause)
		}
	case icims.ClassAccess:
		// 403 means the account or the address, unless other calls succeed; then record.exec
		// makes the export dead. 404 with code 3 means this one record. A refused search is never
		// about the candidate.
		o.kind = dead
		if e.Status != 404 || e.Reason == icims.ReasonNotAuthorized || e.RefusesSearch() {
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

// doubt is the error of a read whose response is neither yes nor no. Nothing is created after it.
type doubt struct {
	reason store.Reason
	// passes: a retry may help.
	passes bool
	err    error // the cause, or nil
}

func (d *doubt) Error() string { return "in doubt: " + d.reason.Info().Title }

// Unwrap returns the cause.
func (d *doubt) Unwrap() error { return d.err }

// outcome retries a doubt that may pass. Any other makes the export dead.
func (d *doubt) outcome() outcome {
	o := outcome{kind: dead, reason: d.reason, err: d}
	if d.passes {
		o.kind = retry
	}
	return o
}
