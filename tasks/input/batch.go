package input

import (
	"context"
	"fmt"
	"iter"
)

// Target is the destination of a batch's candidates: a job, or prospects for the zero value.
type Target struct {
	// Job is the system ID of the iCIMS job (the number in its URL, not the requisition number); 0
	// exports prospects, without a workflow.
	Job int64 `json:"job,omitempty"`
}

// Prospects is the target without a job.
var Prospects = Target{}

// ToJob returns the target for a job.
func ToJob(id int64) Target { return Target{Job: id} }

// Batch is one submission of a producer.
type Batch struct {
	Customer string
	Target   Target
	Options  Options
	// IdempotencyKey makes submitting the batch again have no further effect, for as long as
	// outcomes are kept. Set one wherever a submission may be repeated. It identifies one list of
	// rows: corrected rows need another key.
	IdempotencyKey string
	// Candidates are read once, in order. A *RowError refuses one row; any other error ends the
	// input. See Read and Candidates.
	Candidates iter.Seq2[Candidate, error]
	// ListAtMost limits how many refusals, and how many kinds of warnings, the receipt lists; 0: all. The
	// rest is only counted, so that the receipt of a large batch of bad rows stays small.
	ListAtMost int
	// MaxRows is how many rows are read, including refused ones; 0: DefaultMaxRows. If there are
	// more, Enqueue returns *TooManyRowsError.
	MaxRows int
	// MayGoOn, if set, is called before each part of the batch is written. Its error ends the
	// submission, and nothing more is accepted.
	MayGoOn func(context.Context) error
}

// DefaultMaxRows is the default limit of rows per batch. Each row takes up to 100 bytes in the
// producer, to find duplicates, and about 2 KB in Redis. At iCIMS's usual 10,000 calls a day, a
// million candidates take more than half a year.
const DefaultMaxRows = 1_000_000

// Candidates returns the input of a batch from candidates in memory.
func Candidates(candidates ...Candidate) iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) {
		for _, c := range candidates {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// Refusal is a refused row with its problems.
type Refusal struct {
	// Row is counted from 1, in input order; Line is the line of the file, if there is one.
	Row       int       `json:"row" doc:"Row of the input, from 1, without the header. Results call it input_row."`
	Line      int       `json:"line,omitempty" doc:"The row's first line, for line-based input."`
	Candidate string    `json:"candidate,omitempty" doc:"The candidate's ID, if the row has a valid one."`
	Problems  []Problem `json:"problems" doc:"The row's problems."`
}

// RepeatedWarning is a problem that did not refuse its rows, listed once for all rows with it.
type RepeatedWarning struct {
	Problem
	Rows      int `json:"rows" doc:"Rows with this warning."`
	FirstLine int `json:"first_line,omitempty" doc:"The first line with this warning."`
}

// BatchError refuses a batch as a whole.
type BatchError struct {
	Field, Message, Remedy string
}

func (e *BatchError) Error() string { return fmt.Sprintf("%s: %s; %s", e.Field, e.Message, e.Remedy) }

// Validate returns a *BatchError if the batch is invalid as a whole. It does not read candidates.
func (b Batch) Validate() error {
	switch {
	case !ValidCustomer(b.Customer):
		return &BatchError{"customer", "is not an iCIMS customer ID", "use the number of the customer's iCIMS instance, digits only"}
	case b.Target.Job < 0:
		return &BatchError{"job", "is negative", "use the job's system ID, or omit it to export prospects"}
	case len(b.IdempotencyKey) > 256:
		return &BatchError{"idempotency key", "is longer than 256 bytes", "use a shorter one, such as a UUID"}
	case b.Candidates == nil:
		return &BatchError{"candidates", "are missing", "pass at least an empty sequence"}
	}
	return nil
}

// Options are the producer's options for a batch.
type Options struct {
	// GenerateDummyEmails accepts candidates without an email address and gives them a dummy one,
	// since iCIMS requires an address.
	GenerateDummyEmails bool `json:"generate_dummy_emails"`
	// IncludePreviouslyExported exports candidates again that an earlier export delivered, instead
	// of skipping them.
	IncludePreviouslyExported bool `json:"include_previously_exported"`
}
