package worker

import (
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/control"
	"github.com/seekout/icims-export/worker/intake"
)

// Observer receives the events of a worker, for metrics. Events contain no personal data. Its
// methods are called concurrently and must not block.
type Observer interface {
	// Handled reports one attempt at an export; the reason may be empty.
	Handled(how Outcome, why store.Reason)
	// Called reports a call to iCIMS; status is 0 if there was no response.
	Called(op icims.Op, status int, took time.Duration)
	// Permitted reports a request for a permit, and whether it was granted.
	Permitted(express bool, waited time.Duration, granted bool)
	// BreakerIs reports the new state of a circuit breaker.
	BreakerIs(state string)
	// Reconciled reports n repairs of the sweep.
	Reconciled(what Finding, n int)
	// Forged reports a forged record that was refused.
	Forged(what store.Forgery)
	// ControlTaskEnded reports the end of a run of a control task.
	ControlTaskEnded(kind store.ControlKind, end control.End)
	// IntakeEnded reports the end of an intake task.
	IntakeEnded(how intake.End)
}

// Observe sets the worker's observer. Call it before Start.
func (w *Worker) Observe(o Observer) { w.observer = o }

// Outcome is the result of one attempt at an export.
type Outcome string

// The outcomes.
const (
	OutcomeCreated  Outcome = "created"
	OutcomeUpdated  Outcome = "updated"
	OutcomeSkipped  Outcome = "skipped"
	OutcomeDeferred Outcome = "deferred" // not now; counts no attempt
	OutcomeRetrying Outcome = "retrying"
	OutcomeUnknown  Outcome = "unknown" // a write whose response was lost
	OutcomeDead     Outcome = "dead"
	OutcomeReleased Outcome = "released" // another worker holds the export, or it has ended
	OutcomeFault    Outcome = "fault"    // could not be recorded
)

// Outcomes lists all outcomes.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeCreated, OutcomeUpdated, OutcomeSkipped, OutcomeDeferred, OutcomeRetrying, OutcomeUnknown, OutcomeDead, OutcomeReleased, OutcomeFault,
	}
}

// observe reports an outcome to the observer.
func (r record) observe(x *export, o outcome) {
	how, why := OutcomeFault, o.reason
	switch o.kind {
	case done:
		how, why = OutcomeUpdated, ""
		if x.personMade {
			how = OutcomeCreated
		}
	case skipped:
		how = OutcomeSkipped
	case deferred:
		how = OutcomeDeferred
	case retry:
		how = OutcomeRetrying
	case unknown:
		how = OutcomeUnknown
	case dead:
		how = OutcomeDead
	case released:
		how = OutcomeReleased
	case proceed, fault:
		why = store.ReasonInternal
	}
	r.observer.Handled(how, why)
}

// Finding is a problem that the sweep repairs.
type Finding string

// The findings.
const (
	FindingOrphan      Finding = "task_orphan"
	FindingDeadWorker  Finding = "dead_worker"
	FindingUnclaimed   Finding = "task_unclaimed"
	FindingInterrupted Finding = "lease_expired"
	FindingNoTask      Finding = "no_task"
	FindingUnannounced Finding = "unannounced"
	FindingAbandoned   Finding = "batch_abandoned"
)

// findings describes them in the log.
var findings = map[Finding]string{
	FindingOrphan:      "task without a handler",
	FindingDeadWorker:  "export of a dead worker",
	FindingUnclaimed:   "task that claims nothing",
	FindingInterrupted: "claim whose lease ran out",
	FindingNoTask:      "export without a task",
	FindingUnannounced: "work that is not announced",
	FindingAbandoned:   "batch that its producer never finished",
}

// Findings lists all findings.
func Findings() []Finding {
	return []Finding{FindingOrphan, FindingDeadWorker, FindingUnclaimed, FindingInterrupted, FindingNoTask, FindingUnannounced, FindingAbandoned}
}

// BreakerStates lists the states of a circuit breaker.
func BreakerStates() []string { return []string{"closed", "half-open", "open"} }

// noObserver ignores all events.
type noObserver struct{}

func (noObserver) Handled(Outcome, store.Reason)                   {}
func (noObserver) Called(icims.Op, int, time.Duration)             {}
func (noObserver) Permitted(bool, time.Duration, bool)             {}
func (noObserver) BreakerIs(string)                                {}
func (noObserver) Reconciled(Finding, int)                         {}
func (noObserver) Forged(store.Forgery)                            {}
func (noObserver) ControlTaskEnded(store.ControlKind, control.End) {}
func (noObserver) IntakeEnded(intake.End)                          {}
