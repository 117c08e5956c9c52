package tasks

import (
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// Receipt is the result of submitting a batch.
type Receipt struct {
	Batch store.BatchID `json:"batch" doc:"The batch's ID."`
	// Accepted counts candidates that are in the ledger now; Again counts those that an earlier
	// submission of the batch had already brought.
	Accepted int `json:"accepted" doc:"Candidates of this request in the batch."`
	Again    int `json:"again,omitempty" doc:"Accepted candidates that an earlier request with the same Idempotency-Key already added."`
	// Known means an earlier submission with the same idempotency key opened the batch.
	Known bool `json:"known,omitempty" doc:"An earlier request with the same Idempotency-Key opened the batch."`
	// Dummies counts accepted candidates that got a dummy address.
	Dummies  int                     `json:"dummies,omitempty" doc:"Accepted candidates with a dummy email address."`
	Refused  []input.Refusal         `json:"refused,omitempty" doc:"The first 1,000 refused rows with their problems."`
	Warnings []input.RepeatedWarning `json:"warnings,omitempty" doc:"Warnings about accepted rows."`
	// MoreRefused counts refusals and MoreWarned rows with warnings beyond Batch.ListAtMost.
	MoreRefused int `json:"more_refused,omitempty" doc:"Refused rows beyond the list."`
	MoreWarned  int `json:"more_warned,omitempty" doc:"Rows with warnings beyond the list."`
}

// RefusedRows returns how many rows were refused.
func (r Receipt) RefusedRows() int { return len(r.Refused) + r.MoreRefused }

// refusedRow returns the stored form of a refusal.
func refusedRow(r input.Refusal) store.RefusedRow {
	row := store.RefusedRow{Row: r.Row, Line: r.Line, Candidate: r.Candidate, Problems: make([]store.RowProblem, len(r.Problems))}
	for i, p := range r.Problems {
		row.Problems[i] = store.RowProblem(p)
	}
	return row
}

// RefusalOf returns the refusal for a stored row.
func RefusalOf(row store.RefusedRow) input.Refusal {
	r := input.Refusal{Row: row.Row, Line: row.Line, Candidate: row.Candidate, Problems: make([]input.Problem, len(row.Problems))}
	for i, p := range row.Problems {
		r.Problems[i] = input.Problem(p)
	}
	return r
}
