package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/redeliver"
)

// The texts that asynq shows in its web UI. They consist of closed sets: reasons, operations of
// the client, times and iCIMS's IDs.

// deadText is the prefix of the last error of a dead letter's task.
const deadText = "dead letter: "

// archiveError makes asynq archive a task.
type archiveError struct{ text string }

func (e *archiveError) Error() string { return e.text }

// Unwrap returns asynq.SkipRetry.
func (e *archiveError) Unwrap() error { return asynq.SkipRetry }

// deadError says why an export is a dead letter, and what to do.
func deadError(reason store.Reason) *archiveError {
	info := reason.Info()
	return &archiveError{fmt.Sprintf("%s%s (%s). %s", deadText, info.Title, reason, info.Hint)}
}

// result is the result of a completed task.
func (x *export) result(o outcome) string {
	switch {
	case o.kind == skipped && x.claim.Marker != nil:
		return fmt.Sprintf("skipped: exported on %s as person %d", x.claim.Marker.ExportedAt.UTC().Format(time.DateOnly), x.claim.Marker.Person)
	case o.kind == skipped:
		return "skipped: " + o.reason.Info().Title
	case o.kind != done:
		return "nothing to do: the export has ended"
	}
	did := "updated"
	if x.personMade {
		did = "created"
	}
	if o.workflow != 0 {
		return fmt.Sprintf("%s person %d, workflow %d", did, x.personID, o.workflow)
	}
	return fmt.Sprintf("%s person %d", did, x.personID)
}

// redelivery returns the error that makes asynq deliver the export again; nil: the export has
// ended.
func (x *export) redelivery(o outcome, now time.Time) *redeliver.Error {
	switch {
	case o.kind == retry:
		return redeliver.Failed(x.attemptText(o), o.after)
	case o.kind == unknown:
		return redeliver.Waiting("no answer to "+x.callText(o)+"; checking "+at(now, o.after), o.after)
	case o.kind == deferred:
		return redeliver.Waiting(waitingText(o.reason, now, o.after), max(o.after, time.Second))
	case o.kind == released && o.after > 0:
		return redeliver.Waiting(waitingText(o.reason, now, o.after), o.after)
	case o.kind == fault:
		return redeliver.Failed("the outcome could not be recorded: "+store.ReasonInternal.Info().Title, faultPause)
	}
	return nil
}

func waitingText(reason store.Reason, now time.Time, after time.Duration) string {
	text := "waiting: " + reason.Info().Title
	if after >= time.Minute {
		text += "; next attempt " + at(now, after)
	}
	return text
}

func (x *export) attemptText(o outcome) string {
	attempt := 1
	if x.claim != nil {
		attempt = x.claim.Attempts + 1
	}
	text := o.reason.Info().Title
	if e, ok := errors.AsType[*icims.Error](o.err); ok && e.Status != 0 {
		text = fmt.Sprintf("iCIMS answered %d to %s", e.Status, opText(e.Op))
	} else if ok {
		text = fmt.Sprintf("%s (%s)", text, opText(e.Op))
	}
	return fmt.Sprintf("%s (attempt %d)", text, attempt)
}

func (x *export) callText(o outcome) string {
	if e, ok := errors.AsType[*icims.Error](o.err); ok {
		return opText(e.Op)
	}
	return "a write"
}

// opTexts describes the operations of the client.
var opTexts = map[string]string{
	"people.search": "search people", "people.get": "read person", "people.create": "create person", "people.patch": "update person",
	"people.collection.add": "add to person", "workflows.search": "search workflows", "workflows.get": "read workflow",
	"workflows.pair": "read workflow", "workflows.create": "create workflow", "workflows.patch": "update workflow", "jobs.get": "read job",
}

func opText(op string) string {
	if text, ok := opTexts[op]; ok {
		return text
	}
	return op
}

// at formats the time that is after from now.
func at(now time.Time, after time.Duration) string {
	t := now.Add(after).UTC()
	if t.Truncate(24*time.Hour) != now.UTC().Truncate(24*time.Hour) {
		return "on " + t.Format("2006-01-02 at 15:04 UTC")
	}
	return "at " + t.Format("15:04 UTC")
}
