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

// BatchSpec is what all exports of a batch share.
type BatchSpec struct {
	Customer string
	// IdempotencyKey makes sending twice the same as sending once; empty for a
	// batch of its own.
	IdempotencyKey string
	// Job is the system id of the job to attach to; 0 exports prospects.
	Job                       int64
	GenerateDummyEmails       bool
	IncludePreviouslyExported bool
	// Test: it sends the test candidate of a verification. Lists of batches, averages
	// and reports leave it out.
	Test bool
	// Trace names the span of whoever hands the batch over, as W3C's traceparent.
	// Claims bring it along. Empty: nothing is traced, or kept.
	Trace string
}

// TestCandidate is the id of the test candidate of verifications. No producer may use
// it.
const TestCandidate = "icims-export:test"

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

// JobOf returns the job of a batch's target, and 0 for prospects.
func JobOf(target string) int64 { return number(strings.TrimPrefix(target, "j")) }

// ErrBatchCancelled: the batch was cancelled, so nothing more is taken into it.
var ErrBatchCancelled = errors.New("the batch was canceled and accepts no more candidates; send a new batch instead")

// OpenBatch opens a batch, or finds the one that the idempotency key opened
// before. It returns a BatchConflictError where that one differs, and a
// TooManyWaitingError where a new one would have no room.
func (l *Ledger) OpenBatch(ctx context.Context, s BatchSpec) (id BatchID, again bool, err error) {
	key := s.IdempotencyKey
	if key == "" {
		key = rand.Text()
	}
	id = BatchID(l.keys.BatchID(s.Customer, key))
	if err := l.memoryForMore(ctx); err != nil {
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

// CloseBatch notes that the producer has handed over every candidate, and how
// many rows it refused.
func (l *Ledger) CloseBatch(ctx context.Context, batch BatchID, refused int) error {
	return l.CloseSending(ctx, batch, &Refused{count: refused}, false)
}

// Batch is the state of a batch.
type Batch struct {
	ID        BatchID   `json:"batch"`
	Job       int64     `json:"job,omitempty"` // 0: prospects
	Opened    time.Time `json:"opened"`
	Closed    time.Time `json:"closed,omitzero"` // zero while the producer is still sending
	Ended     time.Time `json:"ended,omitzero"`  // zero while anything moves
	Accepted  int       `json:"accepted"`
	Refused   int       `json:"refused"`
	Created   int       `json:"created"`
	Updated   int       `json:"updated"`
	Skipped   int       `json:"skipped"`
	Dead      int       `json:"dead"`
	Cancelled int       `json:"cancelled"`
	Calls     int       `json:"calls"` // to iCIMS so far
	// WithoutWorkflow is how many profiles exports to a job have created that died or were
	// canceled before the workflow.
	WithoutWorkflow int `json:"profiles_without_workflow,omitempty"`
	// Abandoned tells that no row came for so long that the batch was closed, although its
	// producer had not said that this was all.
	Abandoned bool `json:"abandoned,omitempty"`

	GenerateDummyEmails       bool `json:"generate_dummy_emails,omitempty"`
	IncludePreviouslyExported bool `json:"include_previously_exported,omitempty"`
	Test                      bool `json:"test,omitempty"` // of a verification
}

// Moving is how many exports of the batch have not ended.
func (b Batch) Moving() int {
	return b.Accepted - b.Created - b.Updated - b.Skipped - b.Dead - b.Cancelled
}

// ProfilesWithoutWorkflow says how many profiles exist without a workflow; nothing where
// none does.
func (b Batch) ProfilesWithoutWorkflow() string {
	switch b.WithoutWorkflow {
	case 0:
		return ""
	case 1:
		return "1 profile exists without a workflow"
	}
	return fmt.Sprintf("%d profiles exist without a workflow", b.WithoutWorkflow)
}

// Incomplete says that the producer vanished, and what to do; nothing where it did not.
func (b Batch) Incomplete() string {
	if !b.Abandoned {
		return ""
	}
	return "The producer stopped sending, so this batch was closed. Rows may be missing: send it again with the same idempotency key to add them."
}

// ErrNoBatch: there is no such batch, or it ended longer ago than outcomes are
// kept.
var ErrNoBatch = errors.New("no such batch, or its results have expired")

// Batch reads the state of a batch. It returns ErrNoBatch for an unknown one.
func (l *Ledger) Batch(ctx context.Context, id BatchID) (Batch, error) {
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

// OpenBatches lists the batches of a customer of which anything moves, the latest
// first.
func (l *Ledger) OpenBatches(ctx context.Context, customer string) ([]Batch, error) {
	live, err := l.Live(ctx, customer)
	if err != nil {
		return nil, err
	}
	var open []Batch
	// The customer's counter tells when all that moves has been seen, so that years
	// of finished batches are not read.
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

// Outcome is how one export of a batch stands or ended.
type Outcome struct {
	Export    string    `json:"export"`
	Candidate string    `json:"candidate"`
	State     State     `json:"state"`
	Counter   Counter   `json:"outcome,omitempty"` // for ended exports
	Reason    Reason    `json:"reason,omitempty"`
	Person    int64     `json:"person,omitempty"`
	Workflow  int64     `json:"workflow,omitempty"`
	At        time.Time `json:"at,omitzero"`  // of the end
	Due       time.Time `json:"due,omitzero"` // of the next try
	Attempts  int       `json:"attempts,omitempty"`
	Warnings  string    `json:"warnings,omitempty"` // codes, comma separated
}

// Outcomes lists a page of a batch's exports in the order in which they were
// accepted.
func (l *Ledger) Outcomes(ctx context.Context, batch BatchID, from, n int) ([]Outcome, error) {
	ids, err := l.redis.LRange(ctx, rowsKey(batch), int64(from), int64(from+n-1)).Result()
	if err != nil {
		return nil, fmt.Errorf("read batch rows: %w", err)
	}
	return l.outcomesOf(ctx, slices.Repeat([]BatchID{batch}, len(ids)), ids)
}

// outcomesOf reads how exports stand or ended; the State of one that does not
// exist is empty.
func (l *Ledger) outcomesOf(ctx context.Context, batches []BatchID, ids []string) ([]Outcome, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	ended := make([]*redis.StringCmd, len(ids))
	live := make([]*redis.SliceCmd, len(ids))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			// The record first: an export that ends in between is then seen by its
			// outcome.
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

// readLine reads "state|counter|reason|person|workflow|seconds|warnings|candidate", as
// finish.lua writes it.
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
