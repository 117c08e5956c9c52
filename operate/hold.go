package operate

import (
	"cmp"
	"fmt"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// LaneState is how it stands with a customer's exports, in a word.
type LaneState string

// The states, in the order in which they are listed.
const (
	LaneOpen    LaneState = "open"    // exports are being worked on
	LaneWaiting LaneState = "waiting" // for a worker
	LaneLater   LaneState = "later"   // all that there is waits for a time of its own
	LanePaused  LaneState = "paused"  // by somebody
	LaneClosed  LaneState = "closed"  // by what iCIMS said, or the day's calls are used up
	LaneFailing LaneState = "failing" // iCIMS keeps failing, so that calls are suspended
	LaneIdle    LaneState = "idle"    // there is no work
	// LaneUnreadable: the customer's keys in Redis cannot be read.
	LaneUnreadable LaneState = "unreadable"
)

// LaneStates lists all states.
func LaneStates() []LaneState {
	return []LaneState{LaneOpen, LaneWaiting, LaneLater, LanePaused, LaneClosed, LaneFailing, LaneIdle, LaneUnreadable}
}

// Hold is what keeps a customer's exports, if anything does.
type Hold struct {
	State  LaneState    `json:"state" enum:"open,waiting,later,paused,closed,failing,idle,unreadable" doc:"How it stands: open, worked on; waiting, for a worker; later, for a time of its own; paused, by somebody; closed, by what iCIMS said or since the day's calls are used up; failing, iCIMS keeps failing; idle, no work; unreadable, the customer's keys in Redis cannot be read."`
	Reason store.Reason `json:"reason,omitempty" doc:"Why it is held back: a code of docs/errors.md."`
	By     string       `json:"by,omitempty" doc:"Who paused it."`
	Why    string       `json:"why,omitempty" doc:"Why it was paused."`
	Until  time.Time    `json:"until,omitzero" doc:"When it goes on by itself, if that is known."`
	// BulkOnly: small batches go on.
	BulkOnly bool `json:"bulk_only,omitempty" doc:"Small batches go on."`
}

// WebUI stands for whoever pauses a queue there, of whom asynq keeps nothing.
const WebUI = "the queue's web UI"

// holdOf says what keeps a customer's exports: the strongest of all reasons.
func holdOf(s store.Standing, q tasks.QueueStates) Hold {
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
	case isOpen(s.Breakers) && time.Since(s.LastGood) > reachedLately:
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

// reachedLately is for how long after a call that succeeded iCIMS counts as well: a breaker
// that is open all the same is the fault of its process.
const reachedLately = time.Minute

func isOpen(breakers map[string]string) bool {
	for _, state := range breakers {
		if state != "closed" {
			return true
		}
	}
	return false
}

// Keeps reports whether something keeps exports that would otherwise go on.
func (h Hold) Keeps() bool {
	return h.State == LanePaused || h.State == LaneClosed || h.State == LaneFailing
}

// Text is what the state's word leaves open; empty for nothing.
func (h Hold) Text(at prose.Clock) string {
	text := ""
	switch h.State {
	case LanePaused:
		text = "by " + prose.Printable(h.By)
		if h.By == WebUI {
			text = "in " + WebUI
		}
		if h.Reason != "" {
			text += " " + at.Until(h.Until, "until somebody resumes")
		}
		if h.Why != "" {
			text += ": " + prose.Printable(h.Why)
		}
	case LaneClosed:
		text = h.Reason.Info().Title + ", " + at.Until(h.Until, "nobody knows until when")
	case LaneFailing:
		text = h.Reason.Info().Title
	case LaneUnreadable:
		text = "the customer's keys in Redis are broken; the worker's log names the error"
	case LaneIdle, LaneOpen, LaneWaiting, LaneLater:
	}
	if h.BulkOnly {
		text += "; small batches go on"
	}
	return text
}

// Told is the state with what is to be said about it.
func (h Hold) Told(at prose.Clock) string {
	switch h.State {
	case LanePaused:
		return "paused " + h.Text(at)
	case LaneClosed:
		return "closed, since " + h.Text(at)
	case LaneFailing:
		return "failing, so that calls are suspended"
	case LaneUnreadable:
		return "unreadable: " + h.Text(at)
	case LaneIdle, LaneOpen, LaneWaiting, LaneLater:
	}
	return string(h.State)
}

// Warning is the hold as sentences for whoever waits for the customer's exports.
func (h Hold) Warning(at prose.Clock, customer string) string {
	which := "Customer " + customer
	switch {
	case h.By == WebUI:
		queue := "queues"
		if h.BulkOnly {
			queue = "queue for large batches"
		}
		return fmt.Sprintf("%s: the %s are paused in %s; icims-export resume %s sets them going.", which, queue, WebUI, customer)
	case h.State == LanePaused:
		return fmt.Sprintf("%s is paused %s. Exports wait; icims-export resume %s sets them going.", which, h.Text(at), customer)
	case h.State == LaneClosed || h.State == LaneFailing:
		return fmt.Sprintf("%s: %s. %s", which, h.Text(at), h.Reason.Info().Hint)
	}
	return ""
}
