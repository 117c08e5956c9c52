package tasks

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/traces"
)

// TypeExport is the asynq task type of one candidate's export.
const TypeExport = "icims:export"

const (
	// maxRetry is out of reach: the ledger counts attempts and decides when to
	// give up. asynq's own count also grows when a worker is killed, and at its
	// limit asynq would archive the task unasked.
	maxRetry = 1_000_000
	// taskTimeout covers the waits for permits and all calls of one export.
	taskTimeout = 15 * time.Minute
)

// BulkQueue is the asynq queue of a customer's large batches.
func BulkQueue(customer string) string { return "icims:" + customer }

// ExpressQueue is the asynq queue of a customer's small, interactive batches.
func ExpressQueue(customer string) string { return "icims:" + customer + ":express" }

// expressLimit is the largest batch that goes through the express queue.
const expressLimit = 25

// GoesExpress reports whether a batch of so many candidates goes through the
// express queue.
func GoesExpress(candidates int) bool { return candidates <= expressLimit }

// reference is the whole payload of a task: asynq's web UI shows payloads, so
// they must not hold anything personal.
type reference struct {
	Customer   string `json:"customer"`
	Export     string `json:"export"`
	Generation int    `json:"generation,omitempty"`
}

// ParseTask reads the reference that a task carries, and which one of the
// export's tasks it is.
func ParseTask(t *asynq.Task) (ref store.Ref, generation int, err error) {
	var r reference
	if err := json.Unmarshal(t.Payload(), &r); err != nil {
		return store.Ref{}, 0, fmt.Errorf("task payload: %w", err)
	}
	if !store.ValidCustomer(r.Customer) || r.Export == "" {
		return store.Ref{}, 0, errors.New("task payload is no reference to an export")
	}
	return store.Ref{Customer: r.Customer, Export: r.Export}, r.Generation, nil
}

// newTask makes the task of an export. The id is unique over all queues, since
// asynq keys its heartbeats by id alone; the generation tells a revived export
// from its former task, which may still hold its id.
//
// parent names the span that the task is a part of. A task of the bulk queue has none:
// it is a turn, and the batch of the export that it will serve says where that one
// comes from.
func newTask(ref store.Ref, generation int, queue, parent string) (*asynq.Task, error) {
	payload, err := json.Marshal(reference{ref.Customer, ref.Export, generation})
	if err != nil {
		return nil, fmt.Errorf("task payload: %w", err)
	}
	var headers map[string]string
	if parent != "" {
		headers = map[string]string{traces.Header: parent}
	}
	return asynq.NewTaskWithHeaders(TypeExport, payload, headers,
		asynq.TaskID(taskID(ref, generation)),
		asynq.Queue(queue), asynq.MaxRetry(maxRetry), asynq.Timeout(taskTimeout), asynq.Retention(0)), nil
}
