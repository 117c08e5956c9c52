package console

import (
	"cmp"
	"html/template"
	"slices"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// refusedRows are refused rows, grouped by problem.
type refusedRows struct {
	Causes []refusalCause
	// All is the number of refused rows, and Listed how many of them the API listed.
	All, Listed int
	// MoreCauses is the number of problems that are not shown.
	MoreCauses int
	// File contains the listed rows, or those that the batch keeps.
	File refusedFile
	// Kept means that the batch keeps the rows, and that the file has the candidates' IDs.
	Kept bool
}

// keptRows groups the rows that a batch keeps. The path is that of their file.
func keptRows(list api.RefusedList, path string) refusedRows {
	rows := groupOf(list.Refused, list.RefusedRows)
	rows.Kept = true
	rows.File = refusedFile{Rows: min(list.RefusedRows, store.MostRefusedRows), URL: template.URL(path)} //nolint:gosec // the path of an existing batch
	return rows
}

// refusalCause is a problem with the first rows that have it.
type refusalCause struct {
	Field, Message, Remedy string

	// N is the number of listed rows with the problem.
	N    int
	Rows []refusedRow
}

// refusedRow is the position of a refused row.
type refusedRow struct {
	Row, Line int
	Candidate string
}

// More returns how many rows are not shown.
func (c refusalCause) More() int { return c.N - len(c.Rows) }

// Limits of the refused rows on a page.
const (
	shownCauses  = 20
	shownRefused = 10 // per problem
)

// rowsOf groups refused rows and makes a file of them; all is the number of refused rows, including
// those not listed.
func rowsOf(refused []input.Refusal, all int) refusedRows {
	list := groupOf(refused, all)
	list.File = fileOf(refused)
	return list
}

// groupOf groups refused rows, most frequent problem first.
func groupOf(refused []input.Refusal, all int) refusedRows {
	list := refusedRows{All: all, Listed: len(refused)}
	places := map[input.Problem]int{}
	for _, r := range refused {
		for _, p := range r.Problems {
			at, known := places[p]
			if !known {
				at = len(list.Causes)
				places[p] = at
				list.Causes = append(list.Causes, refusalCause{Field: p.Field, Message: p.Message, Remedy: p.Remedy})
			}
			cause := &list.Causes[at]
			cause.N++
			if len(cause.Rows) < shownRefused {
				cause.Rows = append(cause.Rows, refusedRow{r.Row, r.Line, r.Candidate})
			}
		}
	}
	slices.SortStableFunc(list.Causes, func(x, y refusalCause) int { return cmp.Compare(y.N, x.N) })
	shown := min(len(list.Causes), shownCauses)
	list.MoreCauses = len(list.Causes) - shown
	list.Causes = list.Causes[:shown]
	return list
}

// receiptPage shows the result of a form, and follows its batch.
type receiptPage struct {
	api.Sent

	Customer string
	File     string
	// Target is the destination.
	Target  string
	Refused refusedRows
	// Standing is the batch's progress; nil if unknown.
	Standing *batchProgress
}

// receipt shows the receipt of an export.
func (v *visit) receipt(sent api.Sent, in *exportInput) error {
	job, _ := pickedJob(in.fields, "job")
	page := receiptPage{Sent: sent, Customer: v.Customer, File: in.file, Target: "as prospects", Refused: rowsOf(sent.Refused, sent.RefusedRows)}
	if job != 0 {
		page.Target = "for " + targetOf(job, sent.JobTitle)
	}
	var b api.BatchStatus
	if sent.Batch == "" {
		// Nothing was accepted, so there is no batch.
	} else if err := v.get(v.customerPath("batches", string(sent.Batch)), nil, &b); err == nil {
		s := v.standingOf(b)
		page.Standing = &s
	}
	title := "Export started"
	if sent.Accepted == 0 {
		title = "No rows accepted"
	}
	return v.page("receipt", title, page)
}

// Path returns the URL of the batch.
func (p receiptPage) Path() string { return batchPage(p.Customer, string(p.Batch)) }
