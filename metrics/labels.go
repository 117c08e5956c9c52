package metrics

import (
	"slices"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker"
	"github.com/seekout/icims-export/worker/control"
	"github.com/seekout/icims-export/worker/intake"
)

// Label is a label and all its values.
type Label struct {
	Name string
	// Values are all possible values; none for the customer, whose values are IDs.
	Values []string
	// Meaning explains the values, or says where they are documented.
	Meaning string
}

// labelOther replaces unknown values, for example from a newer version.
const (
	labelNone  = "none"
	labelOther = "other"
)

func texts[S ~string](values []S, more ...string) []string {
	all := make([]string, 0, len(values)+len(more))
	for _, v := range values {
		all = append(all, string(v))
	}
	slices.Sort(all)
	return append(all, more...)
}

func operationNames() []string {
	ops := icims.Ops()
	names := make([]string, len(ops))
	for i, op := range ops {
		names[i] = op.Name
	}
	return texts(names, labelOther)
}

// statusClasses are the classes of HTTP statuses.
var statusClasses = []string{"2xx", "3xx", "4xx", "5xx", labelNone}

const hundred = 100

// classOf returns the class of a status, or "none" for 0, without a response.
func classOf(status int) string {
	if i := status/hundred - 2; i >= 0 && i < len(statusClasses)-1 {
		return statusClasses[i]
	}
	return labelNone
}

// The values for queues, states of work and holds.
const (
	queueBulk, queueExpress           = "bulk", "express"
	workWaiting, workActive, workLate = "waiting", "active", "later"
	laneOpen, laneClosing, laneWanted = "open", "closing", "waiting"
	heldYes, heldNo                   = "yes", "no"
	heldInWebUI                       = "web_ui"
	tripCommand, tripPipeline         = "command", "pipeline"
)

// holdReasons are the reasons why all calls of a customer may be blocked.
func holdReasons() []string {
	return texts([]store.Reason{
		store.ReasonPaused, store.ReasonBreakerOpen,
		"icims_credentials", "icims_access_denied", "icims_not_authorized", "icims_search_refused", "icims_rate_limited", "icims_quota_exhausted",
	}, heldInWebUI, labelOther)
}

var (
	labelOutcome    = Label{"outcome", texts(worker.Outcomes()), "see `worker/observer.go`. `deferred`, `retrying` and `unknown` run again; `released`: another worker has it"}
	labelReason     = Label{"reason", texts(store.Reasons(), labelNone, labelOther), "see [errors.md](errors.md)"}
	labelOperation  = Label{"operation", operationNames(), "of iCIMS's API, see `icims/op.go`"}
	labelStatus     = Label{"status", statusClasses, "class of the HTTP status; `none`: no response"}
	labelQueue      = Label{"queue", []string{queueBulk, queueExpress}, "`express`: small batches and control tasks"}
	labelWork       = Label{"state", []string{workActive, workLate, workWaiting}, "`later`: scheduled"}
	labelHeld       = Label{"held", []string{heldNo, heldYes}, "`yes`: blocked by a pause, a refused account, used-up daily calls or an open circuit breaker"}
	labelHoldReason = Label{"reason", holdReasons(), "see [errors.md](errors.md); `web_ui`: paused in asynq's web UI"}
	labelCustomers  = Label{"state", texts(admin.LaneStates()), "as in `icims-export lanes`"}
	labelLane       = Label{"state", []string{laneClosing, laneOpen, laneWanted}, "`waiting`: customers that wait for a free lane"}
	labelBreaker    = Label{"state", worker.BreakerStates(), "state of the circuit breaker"}
	labelFinding    = Label{"finding", texts(worker.Findings()), "see `worker/observer.go`"}
	labelControl    = Label{"kind", texts(store.ControlKinds(), labelOther), "kind of control task"}
	labelForgery    = Label{"what", texts([]store.Forgery{store.ForgedTask, store.ForgedExport}), "see `store/forgery.go`"}
	labelControlEnd = Label{"end", texts(control.Ends()), "`lost`: another run took over"}
	labelIntakeEnd  = Label{"end", texts(intake.Ends()), "`readable`, `unknown_type`: refused and erased from Redis"}
	labelLoss       = Label{"kind", texts(store.LossKinds()), "see `store/redis_loss.go`"}
	labelViolation  = Label{"kind", texts(store.QuickViolations()), "as in `icims-export check`"}
	labelTrouble    = Label{"trouble", texts(store.Troubles()), "see `store/redis_problems.go`"}
	labelTrip       = Label{"kind", []string{tripCommand, tripPipeline}, ""}
	labelCheck      = Label{"check", []string{checkLanes, checkLedger, checkRedis}, "as in `/readyz`"}
	labelField      = Label{"field", texts(readback.Fields()), "see [read-back.md](read-back.md)"}
	labelCustomer   = Label{"customer", nil, "iCIMS's customer id"}
	labelRoute      = Label{"operation", nil, "of the HTTP API, see `api/openapi.yaml`; `none`: unknown route"}
)

// within returns the value if the label has it, else "other" or "none", whichever the label has.
func (l Label) within(value string) string {
	switch {
	case slices.Contains(l.Values, value):
		return value
	case value == "" && slices.Contains(l.Values, labelNone), !slices.Contains(l.Values, labelOther):
		return labelNone
	default:
		return labelOther
	}
}
