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
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/traces"
)

// TypeExport is the asynq task type of an export.
const TypeExport = "icims:export"

const (
	// maxRetry is never reached: the ledger counts attempts and decides when an export fails. asynq
	// would archive a task at its limit.
	maxRetry = 10_000
	// taskTimeout covers the waits for permits and all calls of one export.
	taskTimeout = 15 * time.Minute
)

// DefaultRetention is how long asynq's web UI shows a completed task.
const DefaultRetention = 10 * time.Minute

// Export is an export with everything its task contains.
type Export struct {
	store.Ref

	Batch     store.BatchID
	Row       int // 1-based row of the batch
	Candidate string
	Queue     store.QueueSize
	Token     int64 // of the last claim, for a substitute
	// Trace is the parent span; empty for none.
	Trace string
}

// ExportOf returns the task data of an export in the ledger.
func ExportOf(m store.Moving) Export {
	return Export{Ref: m.Ref, Batch: m.Batch, Row: m.Row + 1, Candidate: m.Candidate, Queue: m.Queue, Token: m.Token}
}

// reference is the payload of a task. asynq's web UI shows payloads, so it contains nothing
// personal: customer and candidate are opaque IDs by contract.
type reference struct {
	Customer  string `json:"customer"`
	Batch     string `json:"batch,omitempty"`
	Row       int    `json:"row,omitempty"`
	Candidate string `json:"candidate,omitempty"`
	Export    string `json:"export"`
}

// TaskID returns the ID of an export's task, which never changes.
func TaskID(ref store.Ref) string { return ref.Customer + ":" + ref.Export }

// substituteID returns the ID of a task that replaces one that asynq counts as active although no
// worker runs it. The original keeps its ID.
func substituteID(e Export) string { return TaskID(e.Ref) + ":" + strconv.FormatInt(e.Token, 36) }

// ParseTask returns the export of a task.
func ParseTask(t *asynq.Task) (store.Ref, error) {
	var r reference
	if err := json.Unmarshal(t.Payload(), &r); err != nil {
		return store.Ref{}, errors.New("the payload does not reference an export") // the error may quote the payload
	}
	if !input.ValidCustomer(r.Customer) || r.Export == "" {
		return store.Ref{}, errors.New("the payload does not reference an export")
	}
	return store.Ref{Customer: r.Customer, Export: r.Export}, nil
}

// exportOfID returns the export of a task ID.
func exportOfID(id string) (store.Ref, bool) {
	parts := strings.Split(id, ":")
	if len(parts) < 2 || !input.ValidCustomer(parts[0]) {
		return store.Ref{}, false
	}
	return store.Ref{Customer: parts[0], Export: parts[1]}, true
}

// newTask returns the task of an export.
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
