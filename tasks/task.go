package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/traces"
)

// TypeExport is the asynq task type of one candidate's export.
const TypeExport = "icims:export"

const (
	// maxRetry is out of reach: the ledger counts attempts and decides when to give up.
	// At its limit asynq would archive a task unasked.
	maxRetry = 10_000
	// taskTimeout covers the waits for permits and all calls of one export.
	taskTimeout = 15 * time.Minute
)

// DefaultRetention is how long asynq keeps a completed task, to be seen in its web UI.
const DefaultRetention = 10 * time.Minute

// Export is what the task of one export names.
type Export struct {
	store.Ref

	Batch     store.BatchID
	Row       int // of the batch, from 1
	Candidate string
	Queue     store.QueueSize
	Token     int64 // of the last claim, for a substitute
	// Trace names the span that the task is a part of; empty for none.
	Trace string
}

// ExportOf is the task of an export as the ledger has it.
func ExportOf(m store.Moving) Export {
	return Export{Ref: m.Ref, Batch: m.Batch, Row: m.Row + 1, Candidate: m.Candidate, Queue: m.Queue, Token: m.Token}
}

// reference is the whole payload of a task. asynq's web UI shows payloads, so it holds
// nothing personal: customer and candidate are opaque IDs by contract.
type reference struct {
	Customer  string `json:"customer"`
	Batch     string `json:"batch,omitempty"`
	Row       int    `json:"row,omitempty"`
	Candidate string `json:"candidate,omitempty"`
	Export    string `json:"export"`
}

// TaskID is the ID of an export's task, the same for the life of the export.
func TaskID(ref store.Ref) string { return ref.Customer + ":" + ref.Export }

// substituteID is the ID of a task that stands in for one that asynq counts as active
// although nobody works on it, and which keeps its ID.
func substituteID(e Export) string { return TaskID(e.Ref) + ":" + strconv.FormatInt(e.Token, 36) }

// ParseTask reads which export a task is for.
func ParseTask(t *asynq.Task) (store.Ref, error) {
	var r reference
	if err := json.Unmarshal(t.Payload(), &r); err != nil {
		return store.Ref{}, errors.New("the payload does not reference an export") // its text may be anything
	}
	if !store.ValidCustomer(r.Customer) || r.Export == "" {
		return store.Ref{}, errors.New("the payload does not reference an export")
	}
	return store.Ref{Customer: r.Customer, Export: r.Export}, nil
}

// exportOfID reads the export that a task ID names.
func exportOfID(id string) (store.Ref, bool) {
	parts := strings.Split(id, ":")
	if len(parts) < 2 || !store.ValidCustomer(parts[0]) {
		return store.Ref{}, false
	}
	return store.Ref{Customer: parts[0], Export: parts[1]}, true
}

// newTask makes the task of an export.
func newTask(e Export, retention time.Duration) (*asynq.Task, error) {
	payload, err := json.Marshal(reference{e.Customer, string(e.Batch), e.Row, e.Candidate, e.Export})
	if err != nil {
		return nil, fmt.Errorf("task payload: %w", err)
	}
	var headers map[string]string
	if e.Trace != "" {
		headers = map[string]string{traces.Header: e.Trace}
	}
	return asynq.NewTaskWithHeaders(TypeExport, payload, headers, asynq.TaskID(TaskID(e.Ref)), asynq.Queue(QueueName(e.Customer, e.Queue)),
		asynq.MaxRetry(maxRetry), asynq.Timeout(taskTimeout), asynq.Retention(retention)), nil
}
