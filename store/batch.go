package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	optionInclude   = "i"
	optionDummies   = "d"
	targetProspects = "p"
)

// BatchSpec holds the settings shared by all exports of a batch.
type BatchSpec struct {
	Customer string
	// IdempotencyKey makes a repeated submission return the same batch. An empty key always creates
	// a new one.
	IdempotencyKey string
	// Job is the system ID of the job to attach to; 0 exports prospects.
	Job                       int64
	GenerateDummyEmails       bool
	IncludePreviouslyExported bool
	// Test marks the test candidate of a verification. Batch lists, averages and reports leave such
	// batches out.
	Test bool
	// Trace is the producer's span as a W3C traceparent. Claims return it. Empty: no tracing.
	Trace string
}

func (s BatchSpec) target() string {
	if s.Job == 0 {
		return targetProspects
	}
	return "j" + idText(s.Job)
}

func (s BatchSpec) options() string {
	o := ""
	if s.GenerateDummyEmails {
		o += optionDummies
	}
	if s.IncludePreviouslyExported {
		o += optionInclude
	}
	return o
}

// JobOf returns the job of a batch's target, or 0 for prospects.
func JobOf(target string) int64 { return number(strings.TrimPrefix(target, "j")) }

// ErrBatchCancelled means the batch was canceled and accepts no more exports.
var ErrBatchCancelled = errors.New("the batch was canceled and accepts no more candidates; send a new batch instead")

// Open creates a batch, or finds the one with the same idempotency key. It returns a
// BatchConflictError if that batch differs, and a TooManyWaitingError if the customer has no room
// for a new one.
func (l *Batches) Open(ctx context.Context, s BatchSpec) (id BatchID, again bool, err error) {
	key := s.IdempotencyKey
	if key == "" {
		key = rand.Text()
	}
	id = BatchID(l.keys.BatchID(s.Customer, key))
	if err := l.checkMemory(ctx); err != nil {
		return "", false, err
	}
	if err := l.redis.SAdd(ctx, customersKey, s.Customer).Err(); err != nil {
		return "", false, fmt.Errorf("note customer: %w", err)
	}
	args := []any{prefix(s.Customer), id.local(), s.target(), s.options(), flag(s.Test), l.maxWaiting}
	if s.Trace != "" {
		args = append(args, s.Trace)
	}
	answer, err := l.run(ctx, openBatchScript, batchKey(id), args...)
	if err != nil {
		return "", false, err
	}
	switch text(answer[0]) {
	case "conflict":
		return id, true, specConflict(id, s, text(answer[1]), text(answer[2]))
	case "full":
		return "", false, &TooManyWaitingError{s.Customer, l.maxWaiting}
	}
	return id, text(answer[0]) == "again", nil
}

// Close records that the producer has submitted every candidate, and how many rows it
// rejected.
func (l *Batches) Close(ctx context.Context, batch BatchID, refused int) error {
	return l.Batches.CloseSending(ctx, batch, &Refused{count: refused}, false)
}

// Batch is the state of a batch.
type Batch struct {
	ID        BatchID   `json:"batch"`
	Job       int64     `json:"job,omitempty"` // 0: prospects
	Opened    time.Time `json:"opened"`
	Closed    time.Time `json:"closed,omitzero"` // zero while the producer is still submitting
	Ended     time.Time `json:"ended,omitzero"`  // zero while any export is in progress
	Accepted  int       `json:"accepted"`
	Refused   int       `json:"refused"`
	Created   int       `json:"created"`
	Updated   int       `json:"updated"`
	Skipped   int       `json:"skipped"`
	Dead      int       `json:"dead"`
	Cancelled int       `json:"cancelled"`
	Calls     int       `json:"calls"` // iCIMS API calls so far
	// WithoutWorkflow counts profiles whose exports to a job died or were canceled before the
	// workflow was created.
	WithoutWorkflow int `json:"profiles_without_workflow,omitempty"`
	// Abandoned is set if the batch was closed because the producer stopped sending rows without
	// closing it.
	Abandoned bool `json:"abandoned,omitempty"`

	GenerateDummyEmails       bool `json:"generate_dummy_emails,omitempty"`
	IncludePreviouslyExported bool `json:"include_previously_exported,omitempty"`
	Test                      bool `json:"test,omitempty"` // part of a verification
}

// Moving returns the number of exports that are not finished.
func (b Batch) Moving() int {
	return b.Accepted - b.Created - b.Updated - b.Skipped - b.Dead - b.Cancelled
}

// ProfilesWithoutWorkflow returns a sentence with the number of profiles without a workflow, or ""
// if there are none.
func (b Batch) ProfilesWithoutWorkflow() string {
	switch b.WithoutWorkflow {
	case 0:
		return ""
	case 1:
		return "1 profile exists without a workflow"
	}
	return fmt.Sprintf("%d profiles exist without a workflow", b.WithoutWorkflow)
}

// Incomplete returns a message with a remedy if the producer vanished, and "" otherwise.
func (b Batch) Incomplete() string {
	if !b.Abandoned {
		return ""
	}
	return "The producer stopped sending, so this batch was closed. Rows may be missing: send it again with the same idempotency key to add them."
}

// ErrNoBatch means the batch does not exist or its outcomes have expired.
var ErrNoBatch = errors.New("no such batch, or its results have expired")

// Get reads the state of a batch. It returns ErrNoBatch for an unknown one.
func (l *Batches) Get(ctx context.Context, id BatchID) (Batch, error) {
	f, err := l.redis.HGetAll(ctx, batchKey(id)).Result()
	if err != nil {
		return Batch{}, fmt.Errorf("read batch: %w", err)
	}
	if len(f) == 0 {
		return Batch{}, ErrNoBatch
	}
	return readBatch(id, f), nil
}

func readBatch(id BatchID, f map[string]string) Batch {
	b := Batch{
		ID: id, Job: JobOf(f["t"]), Opened: millis(f["opened"]),
		Accepted: int(number(f["accepted"])), Refused: int(number(f["refused"])),
		Created: int(number(f["n:created"])), Updated: int(number(f["n:updated"])),
		Skipped: int(number(f["n:skipped"])), Dead: int(number(f["n:dead"])),
		Cancelled:                 int(number(f["n:cancelled"])),
		Calls:                     int(number(f["calls"])),
		WithoutWorkflow:           int(number(f["profiles_without_workflow"])),
		GenerateDummyEmails:       strings.Contains(f["o"], optionDummies),
		IncludePreviouslyExported: strings.Contains(f["o"], optionInclude),
		Test:                      f["test"] == "1",
		Abandoned:                 f["abandoned"] != "",
	}
	if f["closed"] != "" {
		b.Closed = millis(f["closed"])
	}
	if f["ended"] != "" && b.Moving() == 0 {
		b.Ended = millis(f["ended"])
	}
	return b
}

// batchPage is how many batches are read at once.
const batchPage = 200

// AllOpen lists a customer's batches with exports in progress, newest first.
func (l *Batches) AllOpen(ctx context.Context, customer string) ([]Batch, error) {
	live, err := l.Recovery.Live(ctx, customer)
	if err != nil {
		return nil, err
	}
	var open []Batch
	// Stop as soon as all live exports are found, so that finished batches are not read.
	for from := int64(0); live > 0; from += batchPage {
		ids, err := l.redis.ZRevRange(ctx, batchesKey(customer), from, from+batchPage-1).Result()
		if err != nil {
			return nil, fmt.Errorf("list batches: %w", err)
		}
		if len(ids) == 0 {
			break
		}
		read := make([]*redis.MapStringStringCmd, len(ids))
		_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, id := range ids {
				read[i] = p.HGetAll(ctx, batchKey(BatchID(customer+"-"+id)))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read batches: %w", err)
		}
		for i, id := range ids {
			if b := readBatch(BatchID(customer+"-"+id), read[i].Val()); b.Moving() > 0 {
				open = append(open, b)
				live -= int64(b.Moving())
			}
		}
	}
	return open, nil
}

// Outcome is the current state or the result of one export of a batch.
type Outcome struct {
	Export    string    `json:"export"`
	Candidate string    `json:"candidate"`
	State     State     `json:"state"`
	Counter   Counter   `json:"outcome,omitempty"` // for finished exports
	Reason    Reason    `json:"reason,omitempty"`
	Person    int64     `json:"person,omitempty"`
	Workflow  int64     `json:"workflow,omitempty"`
	At        time.Time `json:"at,omitzero"`  // end
	Due       time.Time `json:"due,omitzero"` // next attempt
	Attempts  int       `json:"attempts,omitempty"`
	Warnings  string    `json:"warnings,omitempty"` // codes, comma separated
}

// Outcomes lists a page of a batch's exports in the order they were accepted.
func (l *Batches) Outcomes(ctx context.Context, batch BatchID, from, n int) ([]Outcome, error) {
	ids, err := l.redis.LRange(ctx, rowsKey(batch), int64(from), int64(from+n-1)).Result()
	if err != nil {
		return nil, fmt.Errorf("read batch rows: %w", err)
	}
	return l.outcomesOf(ctx, slices.Repeat([]BatchID{batch}, len(ids)), ids)
}

// outcomesOf reads the outcomes of exports. State is empty for an export that does not exist.
func (l *base) outcomesOf(ctx context.Context, batches []BatchID, ids []string) ([]Outcome, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	ended := make([]*redis.StringCmd, len(ids))
	live := make([]*redis.SliceCmd, len(ids))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			// Read the record first: if the export finishes in between, its outcome is found.
			live[i] = p.HMGet(ctx, recordKey(batches[i].Customer(), id), "st", "c", "rs", "pe", "due", "at", "wa")
			ended[i] = p.HGet(ctx, batchKey(batches[i])+":o:"+outcomeBucket(id), id)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read outcomes: %w", err)
	}
	outcomes := make([]Outcome, len(ids))
	for i, id := range ids {
		o := Outcome{Export: id}
		r := live[i].Val()
		if len(r) == 7 {
			o.State, o.Candidate = State(text(r[0])), text(r[1])
		}
		switch line := ended[i].Val(); {
		case line != "" && (o.State == "" || o.State.Ended()):
			o.readLine(line)
			if len(r) == 7 { // a dead letter
				o.Attempts = int(number(text(r[5])))
			}
		case o.State != "":
			o.Reason, o.Person, o.Attempts, o.Warnings = Reason(text(r[2])), number(text(r[3])), int(number(text(r[5]))), text(r[6])
			if due := text(r[4]); due != "" && (o.State == Deferred || o.State == Retrying || o.State == Unknown) {
				o.Due = millis(due)
			}
		}
		outcomes[i] = o
	}
	return outcomes, nil
}

// readLine parses "state|counter|reason|person|workflow|seconds|warnings|candidate", as written by
// finish.lua.
func (o *Outcome) readLine(line string) {
	const parts = 8
	f := strings.SplitN(line, "|", parts)
	if len(f) < parts {
		return
	}
	o.State, o.Counter, o.Reason = State(f[0]), Counter(f[1]), Reason(f[2])
	o.Person, o.Workflow, o.At, o.Warnings = number(f[3]), number(f[4]), time.Unix(number(f[5]), 0), f[6]
	o.Candidate = f[7]
}
