package tasks

import (
	"context"
	"fmt"
	"iter"

	"github.com/seekout/icims-export/store"
)

// Target is where the candidates of a batch go: to a job, or, for the zero
// value, among the prospects.
type Target struct {
	// Job is iCIMS's system id of the job (the number in its URL, not the
	// requisition number); 0 exports prospects, without a workflow.
	Job int64 `json:"job,omitempty"`
}

// Prospects is the target of an export to no job.
var Prospects = Target{}

// ToJob is the target of an export to a job.
func ToJob(id int64) Target { return Target{Job: id} }

// Batch is what a producer hands over at once.
type Batch struct {
	Customer string
	Target   Target
	Options  Options
	// IdempotencyKey makes sending the batch twice the same as sending it once,
	// for as long as outcomes are kept. Use one wherever a send may be repeated. It stands
	// for one list of rows: corrected rows need another key.
	IdempotencyKey string
	// Candidates are read once, in order. An error of type *RowError refuses one
	// row; any other ends the reading. See Read and Candidates.
	Candidates iter.Seq2[Candidate, error]
	// Told bounds how many refusals, and how many kinds of warnings, the receipt tells
	// of; 0: all. What is beyond is counted only, so that the receipt of a large batch
	// of bad rows stays small.
	Told int
	// MaxRows is how many rows are read, refused ones included; 0: DefaultMaxRows.
	// Where there are more, Enqueue returns *TooManyRowsError.
	MaxRows int
	// MayGoOn, unless it is nil, is called before each part of the batch is written. Its
	// error ends the sending, and nothing more is accepted.
	MayGoOn func(context.Context) error
}

// DefaultMaxRows is how many rows a batch may have unless told otherwise. What a batch
// takes grows with its rows: in the producer up to 100 bytes each, to find doubles, and
// in Redis some 2 KB. At iCIMS's usual 10,000 calls a day a million candidates are more
// than half a year of work.
const DefaultMaxRows = 1_000_000

func (b Batch) mostRows() int {
	if b.MaxRows > 0 {
		return b.MaxRows
	}
	return DefaultMaxRows
}

// Candidates makes the input of a batch from candidates in memory.
func Candidates(candidates ...Candidate) iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) {
		for _, c := range candidates {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// Receipt tells what became of a batch that was handed over.
type Receipt struct {
	Batch store.BatchID `json:"batch" doc:"The batch's id."`
	// Accepted counts candidates that are in the ledger now; Again counts those
	// of them that an earlier sending of the same batch had brought.
	Accepted int `json:"accepted" doc:"How many candidates are in the batch by this request."`
	Again    int `json:"again,omitempty" doc:"How many of them an earlier request with the same Idempotency-Key had brought."`
	// Known: an earlier sending with the same idempotency key opened the batch.
	Known bool `json:"known,omitempty" doc:"An earlier request with the same Idempotency-Key opened the batch."`
	// Dummies counts accepted candidates that were given a made-up address.
	Dummies  int               `json:"dummies,omitempty" doc:"How many of the accepted got a made-up e-mail address."`
	Refused  []Refusal         `json:"refused,omitempty" doc:"Rows that were not accepted, each with why: the first 1,000."`
	Warnings []RepeatedWarning `json:"warnings,omitempty" doc:"What was noticed about rows that were accepted."`
	// MoreRefused counts refusals, MoreWarned rows with warnings, that are not told of,
	// see Batch.Told.
	MoreRefused int `json:"more_refused,omitempty" doc:"Refused rows that the list has no room for."`
	MoreWarned  int `json:"more_warned,omitempty" doc:"Rows with warnings that the list has no room for."`
}

// RefusedRows is how many rows were refused.
func (r Receipt) RefusedRows() int { return len(r.Refused) + r.MoreRefused }

// Refusal is one row that was not accepted, and why.
type Refusal struct {
	// Row is counted from 1, in order of arrival; Line is that of the file, where there
	// is one.
	Row       int       `json:"row" doc:"The row of what was sent, from 1, without a header. Results call it input_row."`
	Line      int       `json:"line,omitempty" doc:"The line in which the row begins, where it came in lines."`
	Candidate string    `json:"candidate,omitempty" doc:"The candidate's id, where the row has a usable one."`
	Problems  []Problem `json:"problems" doc:"What is wrong with it."`
}

// kept is what the batch keeps of the refusal.
func (r Refusal) kept() store.RefusedRow {
	row := store.RefusedRow{Row: r.Row, Line: r.Line, Candidate: r.Candidate, Problems: make([]store.RowProblem, len(r.Problems))}
	for i, p := range r.Problems {
		row.Problems[i] = store.RowProblem(p)
	}
	return row
}

// RefusalOf is the refusal that a batch keeps.
func RefusalOf(row store.RefusedRow) Refusal {
	r := Refusal{Row: row.Row, Line: row.Line, Candidate: row.Candidate, Problems: make([]Problem, len(row.Problems))}
	for i, p := range row.Problems {
		r.Problems[i] = Problem(p)
	}
	return r
}

// RepeatedWarning is a problem that did not refuse its rows, told once for all
// rows that have it.
type RepeatedWarning struct {
	Problem
	Rows      int `json:"rows" doc:"How many rows have it."`
	FirstLine int `json:"first_line,omitempty" doc:"The line of the first of them."`
}

// BatchError refuses a batch as a whole.
type BatchError struct {
	Field, Message, Remedy string
}

func (e *BatchError) Error() string { return fmt.Sprintf("%s: %s; %s", e.Field, e.Message, e.Remedy) }

func (b Batch) validate() error {
	switch {
	case !store.ValidCustomer(b.Customer):
		return &BatchError{"customer", "is not an iCIMS customer id", "give the number of the customer's ATS instance, digits only"}
	case b.Target.Job < 0:
		return &BatchError{"job", "is negative", "give the system id of the job, or none to export prospects"}
	case len(b.IdempotencyKey) > 256:
		return &BatchError{"idempotency key", "is longer than 256 bytes", "use a shorter one, such as a UUID"}
	case b.Candidates == nil:
		return &BatchError{"candidates", "are missing", "give at least an empty sequence"}
	}
	return nil
}

// Options are the two choices a producer has for a batch.
type Options struct {
	// GenerateDummyEmails accepts candidates without an e-mail address and
	// gives them a made-up one, since iCIMS does not take a person without.
	GenerateDummyEmails bool `json:"generate_dummy_emails"`
	// IncludePreviouslyExported sends candidates again that an earlier export
	// already delivered, instead of skipping them.
	IncludePreviouslyExported bool `json:"include_previously_exported"`
}
