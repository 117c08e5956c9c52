package tasks

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// IntakeQueue is the asynq queue, and TypeIntake the type, of tasks with one candidate each. Every
// worker serves it.
const (
	IntakeQueue = "icims:intake"
	TypeIntake  = "icims:intake"
)

// TypeRefused is the type of tasks that replace refused ones, whose payload was erased.
const TypeRefused = "icims:refused"

const (
	intakeTimeout   = time.Minute
	intakeRetention = 24 * time.Hour
)

// Order is one candidate with its target and options.
type Order struct {
	Customer  string          `json:"-"`
	Target    input.Target    `json:"target"`
	Options   input.Options   `json:"options"`
	Candidate input.Candidate `json:"candidate"`
}

// IntakeResult is the result of an intake task, as JSON: the batch of one candidate that was
// created, and its export.
type IntakeResult struct {
	Batch  store.BatchID `json:"batch"`
	Export string        `json:"export"`
}

// intakePayload is the payload of an intake task.
type intakePayload struct {
	Customer string `json:"customer"`
	Order    []byte `json:"order"` // sealed, for the customer and the task's ID
}

// NewTask returns an asynq task that submits one candidate. Enqueue it with any asynq client on the
// workers' Redis. The candidate is sealed with the keyset shared by producers and workers.
//
// The task ID is the idempotency key: enqueueing a task twice exports the candidate once. Pass a
// stable ID with asynq.TaskID here, not when enqueueing, since the candidate is sealed for it. The
// ID must be opaque, like a candidate's ID. Other options replace the defaults: the queue
// icims:intake, and a result kept for 24 hours.
//
// A worker validates the candidate. If it is invalid, asynq archives the task; the last error has
// field, problem and remedy. NewTask returns *BatchError if the order as a whole is invalid.
func NewTask(keys *store.Keyset, o Order, options ...asynq.Option) (*asynq.Task, error) {
	id := strings.ToLower(rand.Text())
	for _, option := range options {
		if option.Type() == asynq.TaskIDOpt {
			id, _ = option.Value().(string)
		}
	}
	check := input.Batch{Customer: o.Customer, Target: o.Target, IdempotencyKey: intakeKey(id), Candidates: input.Candidates(o.Candidate)}
	if err := check.Validate(); err != nil {
		return nil, err
	}
	if input.OpaqueID(id) == "" {
		return nil, &input.BatchError{Field: "task ID", Message: "is not opaque: asynq's web UI shows it", Remedy: "use a UUID or an ID of your own database"}
	}
	order, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode the order: %w", err)
	}
	sealed, err := keys.Seal(order, intakePlace(o.Customer, id))
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(intakePayload{o.Customer, sealed})
	if err != nil {
		return nil, fmt.Errorf("encode the task: %w", err)
	}
	return asynq.NewTask(TypeIntake, payload, append([]asynq.Option{
		asynq.Queue(IntakeQueue), asynq.TaskID(id), asynq.MaxRetry(maxRetry), asynq.Timeout(intakeTimeout), asynq.Retention(intakeRetention),
	}, options...)...), nil
}

func intakePlace(customer, taskID string) string { return "intake:" + customer + ":" + taskID }

func intakeKey(taskID string) string { return "intake:" + taskID }

// ErrReadable means the payload of a task is not sealed, so it may contain a readable candidate.
var ErrReadable = errors.New("the payload is not sealed")

// sealedVersion is the first byte of every sealed value.
const sealedVersion = 1

// ParseIntake opens an intake task. Errors: ErrReadable, or store.ErrSealed if the keyset cannot
// open it, or if it was sealed for another customer or task ID.
func ParseIntake(keys *store.Keyset, taskID string, payload []byte) (input.Batch, error) {
	var p intakePayload
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil || decoder.More() || !input.ValidCustomer(p.Customer) || len(p.Order) == 0 || p.Order[0] != sealedVersion {
		return input.Batch{}, ErrReadable
	}
	order, err := keys.Open(p.Order, intakePlace(p.Customer, taskID))
	if err != nil {
		return input.Batch{}, err
	}
	var o Order
	if err := json.Unmarshal(order, &o); err != nil {
		return input.Batch{}, fmt.Errorf("%w: a newer version made it", store.ErrSealed)
	}
	return input.Batch{
		Customer: p.Customer, Target: o.Target, Options: o.Options, IdempotencyKey: intakeKey(taskID), Candidates: input.Candidates(o.Candidate),
	}, nil
}
