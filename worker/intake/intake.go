// Package intake accepts candidates that upstream services enqueue with a plain asynq client, see
// tasks.NewTask. Each candidate becomes a batch of one. Tasks that are not sealed are refused and
// erased from Redis.
package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker/redeliver"
)

// End is how an intake task ended.
type End string

// Ends of intake tasks.
const (
	EndAccepted    End = "accepted"
	EndRefused     End = "refused"  // the candidate is invalid
	EndSealed      End = "sealed"   // the keyset cannot open it
	EndReadable    End = "readable" // not sealed, so erased
	EndUnknownType End = "unknown_type"
)

// Ends lists all ends.
func Ends() []End { return []End{EndAccepted, EndRefused, EndSealed, EndReadable, EndUnknownType} }

// refusals are the last errors of the tasks that replace erased ones.
var refusals = map[End]string{
	EndReadable:    "refused and erased: its payload was not sealed; create tasks with tasks.NewTask",
	EndUnknownType: "refused and erased: its type is unknown; create tasks with tasks.NewTask",
}

// Last errors of tasks that were not accepted.
const (
	failedSealed   = "cannot be opened: give producers and workers the same keyset and set the task ID in tasks.NewTask, then run the task"
	failedConflict = "refused: the task ID belongs to another candidate; give each candidate a task ID of its own"
	waitsForRoom   = "waiting: the customer has too many candidates waiting"
	waitsForMemory = "waiting: Redis's memory is nearly full"
	waitsForRedis  = "waiting: Redis failed; the worker's log has it"
)

// Shown reports whether a last error is one of this package's. They contain no values.
func Shown(text string) bool {
	text = strings.TrimSuffix(text, ": "+asynq.SkipRetry.Error())
	switch text {
	case refusals[EndReadable], refusals[EndUnknownType], failedSealed, failedConflict, waitsForRoom, waitsForMemory, waitsForRedis:
		return true
	}
	return isProblem.MatchString(text)
}

// isProblem matches a validation error of a candidate, which starts with a field's path.
var isProblem = regexp.MustCompile(`\Arefused: [a-z_ ]{1,40}(?:\[[0-9]{1,4}\])?(?:\.[a-z_]{1,40})?: `)

const (
	fullPause  = time.Minute
	faultPause = 5 * time.Second
)

// Handler is the asynq handler of the queue icims:intake, and of tasks of unknown types.
type Handler struct {
	Redis    redis.UniversalClient
	Ledger   *store.Ledger
	Producer *tasks.Client
	Log      zerolog.Logger
	// Ended is called with the end of each task.
	Ended func(End)
}

func archive(text string) error { return fmt.Errorf("%s: %w", text, asynq.SkipRetry) }

// ProcessTask accepts a candidate.
func (h *Handler) ProcessTask(ctx context.Context, t *asynq.Task) error {
	err := panics.Logged(h.Log, "intake", func() error { return h.process(ctx, t) })
	if p, ok := errors.AsType[*panics.Error](err); ok {
		return archive(p.Error())
	}
	return err
}

func (h *Handler) process(ctx context.Context, t *asynq.Task) error {
	id, _ := asynq.GetTaskID(ctx)
	switch t.Type() {
	case tasks.TypeRefused:
		return archive(refusalOf(t.Payload()))
	case tasks.TypeIntake:
	default:
		return h.refuse(ctx, id, EndUnknownType)
	}
	batch, err := tasks.ParseIntake(h.Ledger.Keys(), id, t.Payload())
	switch {
	case errors.Is(err, tasks.ErrReadable):
		return h.refuse(ctx, id, EndReadable)
	case err != nil:
		h.Log.Warn().Str("task", input.OpaqueID(id)).Err(err).Msg("cannot open an intake task")
		h.Ended(EndSealed)
		return archive(failedSealed)
	}
	receipt, err := h.Producer.Enqueue(ctx, batch)
	return h.respond(t, batch, receipt, err)
}

// respond returns the error for asynq, given the result of Enqueue.
func (h *Handler) respond(t *asynq.Task, batch input.Batch, receipt tasks.Receipt, err error) error {
	if nothing, ok := errors.AsType[*input.NothingAcceptedError](err); ok && nothing != nil {
		h.Ended(EndRefused)
		return archive("refused: " + problemsOf(receipt))
	}
	if wrong, ok := errors.AsType[*input.BatchError](err); ok {
		h.Ended(EndRefused)
		return archive("refused: " + wrong.Error())
	}
	_, conflict := errors.AsType[*store.BatchConflictError](err)
	switch {
	case err == nil:
		h.Ended(EndAccepted)
		for candidate, err := range batch.Candidates {
			if err != nil {
				break // the batch is in memory
			}
			write(t, tasks.IntakeResult{Batch: receipt.Batch, Export: h.Ledger.Keys().ExportID(string(receipt.Batch), candidate.ID)})
		}
		return nil
	case conflict:
		h.Ended(EndRefused)
		return archive(failedConflict)
	case errors.Is(err, store.ErrBatchCancelled): // its batch was canceled
		h.Ended(EndAccepted)
		return nil
	case errors.Is(err, store.ErrTooManyWaiting):
		return redeliver.Waiting(waitsForRoom, fullPause)
	case errors.Is(err, store.ErrMemoryReserved):
		return redeliver.Waiting(waitsForMemory, fullPause)
	}
	h.Log.Error().Err(err).Fields(store.LogFields(err)).Str("customer", batch.Customer).Msg("intake task waits")
	return redeliver.Waiting(waitsForRedis, faultPause)
}

// problemsOf lists the candidate's validation errors, without values.
func problemsOf(receipt tasks.Receipt) string {
	var texts []string
	for _, refused := range receipt.Refused {
		for _, p := range refused.Problems {
			texts = append(texts, p.String())
		}
	}
	return strings.Join(texts, ". ")
}

func write(t *asynq.Task, result tasks.IntakeResult) {
	data, err := json.Marshal(result)
	if w := t.ResultWriter(); err == nil && w != nil {
		_, _ = w.Write(data) // the ledger has it
	}
}

// refusal is the payload of a task that replaces an erased one.
type refusal struct {
	Why End `json:"why"`
}

// Refuse erases a task of another queue, and returns the error for asynq.
func (h *Handler) Refuse(ctx context.Context, t *asynq.Task) error {
	id, _ := asynq.GetTaskID(ctx)
	if t.Type() != tasks.TypeExport {
		return h.refuse(ctx, id, EndUnknownType)
	}
	return h.refuse(ctx, id, EndReadable)
}

// refuse erases a task. asynq would archive it with its payload, so a task without one takes its
// place in the archive. The refused task is revoked, which deletes it.
func (h *Handler) refuse(ctx context.Context, id string, why End) error {
	payload, err := json.Marshal(refusal{why})
	if err != nil {
		return err
	}
	options := []asynq.Option{asynq.Queue(tasks.IntakeQueue), asynq.MaxRetry(0), asynq.Timeout(time.Minute)}
	if shown := input.OpaqueID(id); shown != "" {
		options = append(options, asynq.TaskID("refused:"+shown))
	}
	_, err = asynq.NewClientFromRedisClient(h.Redis).EnqueueContext(ctx, asynq.NewTask(tasks.TypeRefused, payload), options...)
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		h.Log.Error().Err(err).Fields(store.LogFields(err)).Msg("intake task waits: cannot refuse it yet")
		return redeliver.Waiting(waitsForRedis, faultPause)
	}
	h.Log.Error().Str("task", input.OpaqueID(id)).Str("why", string(why)).Msg("task refused and erased")
	h.Ended(why)
	return fmt.Errorf("%s: %w", refusals[why], asynq.RevokeTask)
}

func refusalOf(payload []byte) string {
	var r refusal
	if err := json.Unmarshal(payload, &r); err != nil || refusals[r.Why] == "" {
		return refusals[EndUnknownType]
	}
	return refusals[r.Why]
}

// refusedPage is the page size for reading archived tasks.
const refusedPage = 1000

// Refused counts the tasks that were refused and erased since a time, as far as asynq still keeps
// their replacements.
func Refused(client redis.UniversalClient, since time.Time) (refused int, err error) {
	inspector := asynq.NewInspectorFromRedisClient(client)
	for page := 1; ; page++ {
		archived, err := inspector.ListArchivedTasks(tasks.IntakeQueue, asynq.PageSize(refusedPage), asynq.Page(page)) // oldest first
		switch {
		case errors.Is(err, asynq.ErrQueueNotFound):
			return 0, nil
		case err != nil:
			return 0, fmt.Errorf("list refused tasks: %w", err)
		case len(archived) == 0:
			return refused, nil
		}
		for _, t := range archived {
			if t.Type == tasks.TypeRefused && !t.LastFailedAt.Before(since) {
				refused++
			}
		}
	}
}
