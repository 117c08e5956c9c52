package monitoring

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/seekout/icims-export/store"
)

// Change is a change through the web UI.
type Change struct {
	// What is pause-queue, resume-queue, or run-, archive- or delete- with task, tasks or (except
	// for archive) all-tasks.
	What     string
	Customer string // empty for shared queues
	Queue    string
	// Tasks are the IDs of the tasks; empty for a whole queue.
	Tasks []string
	// State is the state of the tasks, if all tasks of a state are run or deleted.
	State string
}

// Object names what is changed: the tasks, or the queue and the state of its tasks.
func (c Change) Object() string {
	if len(c.Tasks) > 0 {
		return strings.Join(c.Tasks, ", ")
	}
	return strings.TrimSpace(c.Queue + " " + c.State)
}

// errNotChanged means that asynq did not make the change, or not completely. asynq's own text may
// contain anything.
var errNotChanged = errors.New("asynq did not do it")

// withCause adds Redis's message and its remedy to an error text.
func withCause(what string, err error) string {
	if d, ok := store.Diagnose(err); ok {
		what += " " + d.String()
	}
	return what
}

// taskIDs is the body of a change to several tasks.
type taskIDs struct {
	IDs []string `json:"task_ids"`
}

// readTasks reads the tasks to change.
func readTasks(w http.ResponseWriter, r *http.Request) (taskIDs, error) {
	const longest = 16 << 10
	var named taskIDs
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, longest)).Decode(&named); err != nil {
		return named, errors.New("the body does not name any tasks")
	}
	if len(named.IDs) == 0 || len(named.IDs) > longestPage {
		return named, errors.New("name between 1 and 100 tasks")
	}
	for _, id := range named.IDs {
		if !isTask.MatchString(id) {
			return named, errors.New("one of the tasks does not belong to icims-export")
		}
	}
	return named, nil
}

// change makes a change after recording it in the audit log.
func (h *Handler) change(w http.ResponseWriter, r *http.Request, path string, route route, c Change) {
	var body []byte
	if route.batch {
		named, err := readTasks(w, r)
		if err == nil {
			c.Tasks = named.IDs
			body, err = json.Marshal(named)
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, "Nothing was changed: "+err.Error()+".")
			return
		}
	}
	log := h.options.Log.With().Str("what", c.What).Str("customer", c.Customer).Str("queue", c.Queue).Strs("tasks", c.Tasks).Logger()
	done := func(error) {}
	if h.options.Journal != nil {
		var err error
		if done, err = h.options.Journal(r, c); err != nil {
			log.Error().Err(err).Fields(store.LogFields(err)).Msg("a change in asynq's web UI was not made: the audit log cannot be written")
			refuse(w, http.StatusServiceUnavailable, withCause("Nothing was changed: the audit log cannot be written.", err)+" Try again.")
			return
		}
	}
	answer := h.query(r, path, body)
	h.shared.forget()
	if answer.status >= http.StatusBadRequest {
		done(errNotChanged)
		answer.text = "Nothing was changed: the task or queue has changed since the page was loaded, or Redis did not respond. Reload the page.\n"
		answer.write(w)
		return
	}
	var failed struct {
		IDs []string `json:"error_ids"`
	}
	if json.Unmarshal([]byte(answer.text), &failed) == nil && len(failed.IDs) > 0 {
		done(errNotChanged)
		log.Warn().Int("failed", len(failed.IDs)).Msg("a change in asynq's web UI failed for some tasks")
	} else {
		done(nil)
		log.Info().Msg("changed in asynq's web UI")
	}
	if h.options.Announce != nil && c.Customer != "" && c.What != "pause-queue" {
		if err := h.options.Announce(r.Context(), c.Customer); err != nil {
			log.Warn().Err(err).Fields(store.LogFields(err)).Msg("waking the customer's lanes after a change in asynq's web UI failed; they notice within ten minutes")
		}
	}
	answer.write(w)
}
