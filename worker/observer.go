package worker

import (
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/control"
	"github.com/seekout/icims-export/worker/intake"
)

// Observer is told what goes on in a worker, so that it can be counted. It is told
// nothing of whom it is about. Its methods are called side by side, and must not wait.
type Observer interface {
	// Handled tells how it ended when an export was handled once; the reason may be
	// empty.
	Handled(how Outcome, why store.Reason)
	// Called tells of a call to iCIMS; status is 0 where no answer came.
	Called(op icims.Op, status int, took time.Duration)
	// Permitted tells of a call that wanted a permit, and whether it got one.
	Permitted(express bool, waited time.Duration, granted bool)
	// BreakerIs tells of a circuit breaker that has changed.
	BreakerIs(state string)
	// Reconciled tells what the reconciler has put right, and how often.
	Reconciled(what Finding, n int)
	// Forged tells of a record that somebody else wrote, and that was refused.
	Forged(what store.Forgery)
	// ControlTaskEnded tells how a run of a control task ended.
	ControlTaskEnded(kind store.ControlKind, end control.End)
	// IntakeEnded tells how a task of an upstream service ended.
	IntakeEnded(how intake.End)
}

// Observe makes o be told what goes on. It is for the time before Start.
func (w *Worker) Observe(o Observer) { w.observer = o }

// Outcome is how it ended when an export was handled once.
type Outcome string

// The outcomes.
const (
	OutcomeCreated  Outcome = "created"
	OutcomeUpdated  Outcome = "updated"
	OutcomeSkipped  Outcome = "skipped"
	OutcomeDeferred Outcome = "deferred" // not now: comes back, and no attempt is counted
	OutcomeRetrying Outcome = "retrying"
	OutcomeUnknown  Outcome = "unknown" // a write whose answer was lost
	OutcomeDead     Outcome = "dead"
	OutcomeReleased Outcome = "released" // another worker holds it, or it has ended
	OutcomeFault    Outcome = "fault"    // could not be recorded
)

// Outcomes lists all outcomes.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeCreated, OutcomeUpdated, OutcomeSkipped, OutcomeDeferred, OutcomeRetrying, OutcomeUnknown, OutcomeDead, OutcomeReleased, OutcomeFault,
	}
}

// observe tells how an export was handled.
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

// Finding is something that the reconciler puts right.
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

// findings are what the log says of them.
var findings = map[Finding]string{
	FindingOrphan:      "task that nobody handles",
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

// BreakerStates lists the states that a circuit breaker may be in.
func BreakerStates() []string { return []string{"closed", "half-open", "open"} }

// nobody is told by workers that are not observed.
type noObserver struct{}

func (noObserver) Handled(Outcome, store.Reason)                   {}
func (noObserver) Called(icims.Op, int, time.Duration)             {}
func (noObserver) Permitted(bool, time.Duration, bool)             {}
func (noObserver) BreakerIs(string)                                {}
func (noObserver) Reconciled(Finding, int)                         {}
func (noObserver) Forged(store.Forgery)                            {}
func (noObserver) ControlTaskEnded(store.ControlKind, control.End) {}
func (noObserver) IntakeEnded(intake.End)                          {}
