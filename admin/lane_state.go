package admin

import (
	"cmp"
	"fmt"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// LaneState is the state of a customer's lane.
type LaneState string

// The states, in the order of lists.
const (
	LaneOpen    LaneState = "open"    // exports are in progress
	LaneWaiting LaneState = "waiting" // for a worker
	LaneLater   LaneState = "later"   // all exports are scheduled
	LanePaused  LaneState = "paused"  // by an operator
	LaneClosed  LaneState = "closed"  // by iCIMS, or the daily limit is used up
	LaneFailing LaneState = "failing" // iCIMS keeps failing, so calls are suspended
	LaneIdle    LaneState = "idle"    // no exports
	// LaneUnreadable means that the customer's keys in Redis cannot be read.
	LaneUnreadable LaneState = "unreadable"
)

// LaneStates returns all states.
func LaneStates() []LaneState {
	return []LaneState{LaneOpen, LaneWaiting, LaneLater, LanePaused, LaneClosed, LaneFailing, LaneIdle, LaneUnreadable}
}

// Hold is the state of a lane and what blocks it, if anything.
type Hold struct {
	State  LaneState    `json:"state" enum:"open,waiting,later,paused,closed,failing,idle,unreadable" doc:"State: open (exports in progress), waiting (for a worker), later (all exports are scheduled), paused (by an operator), closed (by iCIMS, or the daily limit is used up), failing (iCIMS keeps failing), idle (no exports), unreadable (the customer's keys in Redis cannot be read)."`
	Reason store.Reason `json:"reason,omitempty" doc:"Why the lane is blocked: a code of docs/errors.md."`
	By     string       `json:"by,omitempty" doc:"Who paused the lane."`
	Why    string       `json:"why,omitempty" doc:"Why the lane was paused."`
	Until  time.Time    `json:"until,omitzero" doc:"When the lane resumes, if known."`
	// BulkOnly means that small batches continue.
	BulkOnly bool `json:"bulk_only,omitempty" doc:"Small batches continue."`
}

// WebUI names the unknown user who paused a queue in asynq's web UI.
const WebUI = "asynq's web UI"

// holdOf returns what blocks a customer's exports. Of several reasons it returns the strongest.
func holdOf(s store.QuotaStatus, q tasks.QueueStates) Hold {
	if s.PauseOver { // a worker is about to resume the queues
		q.Express.Paused, q.Normal.Paused, q.Large.Paused = false, false, false
	}
	bulk, express, total := q.Bulk(), q.Express, q.Total()
	switch {
	case s.Pause != nil:
		return Hold{State: LanePaused, Reason: store.ReasonPaused, By: cmp.Or(s.Pause.By, "an operator"), Why: s.Pause.Why, Until: s.Pause.Until}
	case q.Normal.Paused && q.Large.Paused && express.Paused:
		return Hold{State: LanePaused, By: WebUI}
	case !s.ClosedExpress.Open():
		return Hold{State: LaneClosed, Reason: s.ClosedExpress.Reason, Until: s.ClosedExpress.Until}
	case isOpen(s.Breakers) && time.Since(s.LastGood) > reachableFor:
		return Hold{State: LaneFailing, Reason: store.ReasonBreakerOpen}
	case bulk.Paused:
		return Hold{State: LanePaused, By: WebUI, BulkOnly: true}
	case express.Paused && express.Pending > 0:
		return Hold{State: LanePaused, By: WebUI}
	case !s.Closed.Open() && bulk.Pending > 0 && express.Pending == 0:
		return Hold{State: LaneClosed, Reason: s.Closed.Reason, Until: s.Closed.Until, BulkOnly: true}
	case s.InFlight > 0 || total.Active > 0:
		return Hold{State: LaneOpen}
	case total.Pending > 0:
		return Hold{State: LaneWaiting}
	case total.Later() > 0:
		return Hold{State: LaneLater}
	}
	return Hold{State: LaneIdle}
}

// reachableFor is how long a successful call proves that iCIMS is reachable. A breaker that is
// open nevertheless is a problem of its worker.
const reachableFor = time.Minute

func isOpen(breakers map[string]string) bool {
	for _, state := range breakers {
		if state != "closed" {
			return true
		}
	}
	return false
}

// Keeps reports whether the lane is blocked.
func (h Hold) Keeps() bool {
	return h.State == LanePaused || h.State == LaneClosed || h.State == LaneFailing
}

// Text explains the state; "" if there is nothing to explain.
func (h Hold) Text(at prose.Clock) string {
	text := ""
	switch h.State {
	case LanePaused:
		text = "by " + prose.Printable(h.By)
		if h.By == WebUI {
			text = "in " + WebUI
		}
		if h.Reason != "" {
			text += " " + at.Until(h.Until, "until resumed")
		}
		if h.Why != "" {
			text += ": " + prose.Printable(h.Why)
		}
	case LaneClosed:
		text = h.Reason.Info().Title + ", " + at.Until(h.Until, "end unknown")
	case LaneFailing:
		text = h.Reason.Info().Title
	case LaneUnreadable:
		text = "the customer's keys in Redis are broken; see the worker's log"
	case LaneIdle, LaneOpen, LaneWaiting, LaneLater:
	}
	if h.BulkOnly {
		text += "; small batches continue"
	}
	return text
}

// Sentence returns the state with its explanation.
func (h Hold) Sentence(at prose.Clock) string {
	switch h.State {
	case LanePaused:
		return "paused " + h.Text(at)
	case LaneClosed:
		return "closed because " + h.Text(at)
	case LaneFailing:
		return "failing: calls are suspended"
	case LaneUnreadable:
		return "unreadable: " + h.Text(at)
	case LaneIdle, LaneOpen, LaneWaiting, LaneLater:
	}
	return string(h.State)
}

// Warning describes a blocked lane in sentences, with the remedy.
func (h Hold) Warning(at prose.Clock, customer string) string {
	which := "Customer " + customer
	switch {
	case h.By == WebUI:
		queue := "all queues are"
		if h.BulkOnly {
			queue = "the queues for large batches are"
		}
		return fmt.Sprintf("%s: %s paused in %s. To resume: icims-export resume %s.", which, queue, WebUI, customer)
	case h.State == LanePaused:
		return fmt.Sprintf("%s is paused %s. To resume: icims-export resume %s.", which, h.Text(at), customer)
	case h.State == LaneClosed || h.State == LaneFailing:
		return fmt.Sprintf("%s: %s. %s", which, h.Text(at), h.Reason.Info().Hint)
	}
	return ""
}
