package console

import (
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/tasks"
)

// refusedRows are rows that were refused, as many as a page shows.
type refusedRows struct {
	Rows []refusedRow
	// More are those that are not shown, All how many there are.
	More, All int
}

// refusedRow is one thing that is wrong with a row.
type refusedRow struct {
	Row, Line                         int
	Candidate, Field, Message, Remedy string
}

// shownRefused is how many refused rows a page shows.
const shownRefused = 50

func rowsOf(refused []tasks.Refusal, all int) refusedRows {
	list := refusedRows{All: all}
	shown := refused[:min(len(refused), shownRefused)]
	for _, r := range shown {
		for _, p := range r.Problems {
			list.Rows = append(list.Rows, refusedRow{r.Row, r.Line, r.Candidate, p.Field, p.Message, p.Remedy})
		}
	}
	list.More = all - len(shown)
	return list
}

// receiptPage tells what became of a form, and follows its batch.
type receiptPage struct {
	api.Sent

	File    string
	Refused refusedRows
	// Standing is how the batch stands; nil where that is not known.
	Standing *standing
}

// receipt answers with the receipt of an export.
func (v *visit) receipt(sent api.Sent, in *handedIn) error {
	page := receiptPage{Sent: sent, File: in.file, Refused: rowsOf(sent.Refused, sent.RefusedRows)}
	var b api.BatchStatus
	if err := v.get(v.customerPath("batches", string(sent.Batch)), nil, &b); err == nil {
		s := v.standingOf(b)
		page.Standing = &s
	}
	title := "Handed over"
	if sent.Accepted == 0 {
		title = "Nothing was accepted"
	}
	return v.page("receipt", title, page)
}

// Path is the address of the batch.
func (p receiptPage) Path() string { return batchPage(p.Batch.Customer(), string(p.Batch)) }

// Customer is whose batch it is.
func (p receiptPage) Customer() string { return p.Batch.Customer() }
