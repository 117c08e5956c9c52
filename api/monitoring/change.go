package monitoring

import (
	"errors"
	"net/http"

	"github.com/seekout/icims-export/store"
)

// Change is something that is changed through the web UI.
type Change struct {
	// What is pause-queue, resume-queue or run-task.
	What     string
	Customer string
	Queue    string
	// Task is the task that is run; empty for the others.
	Task string
}

// errNotDone: asynq did not do it. What it says may hold anything.
var errNotDone = errors.New("asynq did not do it")

// told adds to what failed what Redis says of it, and the remedy.
func told(what string, err error) string {
	if d, ok := store.Diagnose(err); ok {
		what += " " + d.String()
	}
	return what
}

// change makes a change, in the journal first.
func (h *Handler) change(w http.ResponseWriter, r *http.Request, path string, c Change) {
	log := h.options.Log.With().Str("what", c.What).Str("customer", c.Customer).Str("queue", c.Queue).Str("task", c.Task).Logger()
	done := func(error) {}
	if h.options.Journal != nil {
		var err error
		if done, err = h.options.Journal(r, c); err != nil {
			log.Error().Err(err).Fields(store.LogFields(err)).Msg("a change in asynq's web UI could not be entered in the journal, and was not made")
			refuse(w, http.StatusServiceUnavailable, told("It could not be entered in the journal, so it was not done.", err)+" Try again.")
			return
		}
	}
	answer := h.ask(r, path)
	h.shared.forget()
	if answer.status >= http.StatusBadRequest {
		done(errNotDone)
		answer.text = "It was not done: the task or queue is no longer as it was when the page was loaded, or Redis did not answer. Load the page again.\n"
		answer.write(w)
		return
	}
	done(nil)
	log.Info().Msg("changed in asynq's web UI")
	if h.options.Announce != nil && c.Customer != "" && c.What != "pause-queue" {
		if err := h.options.Announce(r.Context(), c.Customer); err != nil {
			log.Warn().Err(err).Fields(store.LogFields(err)).Msg("the customer's lanes could not be woken after a change in asynq's web UI; they find out by themselves")
		}
	}
	answer.write(w)
}
