package console

import (
	"cmp"
	"html/template"
	"slices"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// refusedRows are rows that were refused, grouped by what is wrong with them.
type refusedRows struct {
	Causes []refusalCause
	// All is how many rows were refused, Told how many of them the API tells of.
	All, Told int
	// MoreCauses are those that are not shown.
	MoreCauses int
	// File has the rows that are told of, or that the batch keeps.
	File refusedFile
	// Kept: the batch keeps them, and the file has the candidates' IDs.
	Kept bool
}

// keptRows groups rows that a batch keeps, of which a file is at the path.
func keptRows(list api.RefusedList, path string) refusedRows {
	rows := groupOf(list.Refused, list.RefusedRows)
	rows.Kept = true
	rows.File = refusedFile{Rows: min(list.RefusedRows, store.MostRefusedRows), URL: template.URL(path)} //nolint:gosec // the path of a batch that was read
	return rows
}

// refusalCause is one thing that is wrong, and the first rows with it.
type refusalCause struct {
	Field, Message, Remedy string

	// N is how many rows have it, of those that are told of.
	N    int
	Rows []refusedRow
}

// refusedRow is where a refused row is found.
type refusedRow struct {
	Row, Line int
	Candidate string
}

// More is how many rows are not shown.
func (c refusalCause) More() int { return c.N - len(c.Rows) }

// What a page shows of refused rows, so that the rest of it is still seen.
const (
	shownCauses  = 20
	shownRefused = 10 // of each cause
)

// rowsOf groups refused rows, of which there may be more than are told of, and makes a file of
// them.
func rowsOf(refused []tasks.Refusal, all int) refusedRows {
	list := groupOf(refused, all)
	list.File = fileOf(refused)
	return list
}

// groupOf groups refused rows. The most frequent cause comes first.
func groupOf(refused []tasks.Refusal, all int) refusedRows {
	list := refusedRows{All: all, Told: len(refused)}
	places := map[tasks.Problem]int{}
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

// receiptPage tells what became of a form, and follows its batch.
type receiptPage struct {
	api.Sent

	Customer string
	File     string
	// Target is where they go.
	Target  string
	Refused refusedRows
	// Standing is how the batch stands; nil where that is not known.
	Standing *standing
}

// receipt answers with the receipt of an export.
func (v *visit) receipt(sent api.Sent, in *handedIn) error {
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

// Path is the address of the batch.
func (p receiptPage) Path() string { return batchPage(p.Customer, string(p.Batch)) }
