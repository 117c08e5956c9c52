package admin

import (
	"context"
	"iter"

	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
)

// Outcome is the state of one export with title, hint and link.
type Outcome struct {
	store.Outcome

	// Row is the position among the batch's accepted rows; InputRow is the position in the input.
	Row      int      `json:"row,omitempty" doc:"Position among the batch's accepted rows, from 1; omitted in a candidate's exports."`
	InputRow int      `json:"input_row,omitempty" doc:"Row of the input, from 1, as in refusals; omitted if unknown."`
	Title    string   `json:"title,omitempty"` // of the reason
	Hint     string   `json:"hint,omitempty"`
	Warnings []string `json:"warnings,omitempty"` // as sentences
	Link     string   `json:"link,omitempty"`
}

// Explain adds title, hint, warnings and link to an outcome. row is its position in the batch, from
// 1.
func Explain(o store.Outcome, row int, l Links) Outcome {
	e := Outcome{Outcome: o, Row: row, Link: l.Person(o.Person), Warnings: warningsOf(o.Warnings)}
	if o.Reason != "" {
		info := o.Reason.Info()
		e.Title, e.Hint = info.Title, info.Hint
	}
	return e
}

// warningsOf returns an export's warnings as sentences.
func warningsOf(codes string) []string {
	warnings := mapping.ParseWarnings(codes)
	if len(warnings) == 0 {
		return nil
	}
	texts := make([]string, len(warnings))
	for i, w := range warnings {
		texts[i] = w.Text()
	}
	return texts
}

// pageSize is the number of records per read.
const pageSize = 500

// Outcomes iterates over all exports of a batch, in row order.
func Outcomes(ctx context.Context, ledger *store.Ledger, batch store.BatchID, l Links) iter.Seq2[Outcome, error] {
	return func(yield func(Outcome, error) bool) {
		inputs, err := ledger.Batches.InputRows(ctx, batch)
		if err != nil {
			yield(Outcome{}, err)
			return
		}
		for from := 0; ; from += pageSize {
			page, err := ledger.Batches.Outcomes(ctx, batch, from, pageSize)
			if err != nil {
				yield(Outcome{}, err)
				return
			}
			for i, o := range page {
				explained := Explain(o, from+i+1, l)
				explained.InputRow = inputs.At(from + i + 1)
				if !yield(explained, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}
