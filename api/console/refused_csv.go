package console

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"html/template"
	"net/url"
	"regexp"
	"strconv"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/tasks"
)

// refusedFile is a list of refused rows as CSV. It is a part of the page itself: nothing
// is kept to be fetched later, and it outlives the log-in as the page does.
type refusedFile struct {
	// Rows is how many rows are in it.
	Rows int
	// URL holds the file.
	URL template.URL
}

// largestRefusedFile is what fits into an address that browsers take, in bytes: Chromium
// has 2 MiB, a third more than that in letters.
const largestRefusedFile = 1_400_000

// fileOf writes a line for each thing that is wrong with a row: where it is, what is wrong,
// and what to do. Nothing of the row itself is in it, not even an id.
func fileOf(refused []tasks.Refusal) refusedFile {
	var file bytes.Buffer
	whole, rows := 0, 0
	w := csv.NewWriter(&file)
	w.UseCRLF = true // as the format has it, and spreadsheets
	_ = w.Write([]string{"row", "line", "field", "reason", "remedy"})
	for _, r := range refused {
		for _, p := range r.Problems {
			_ = w.Write([]string{strconv.Itoa(r.Row), lineText(r), noFormula(p.Field), noFormula(p.Message), noFormula(p.Remedy)})
		}
		w.Flush()
		if file.Len() > largestRefusedFile {
			break
		}
		whole, rows = file.Len(), rows+1
	}
	file.Truncate(whole)
	return refusedFile{rows, template.URL("data:text/csv;charset=utf-8;base64," + base64.StdEncoding.EncodeToString(file.Bytes()))} //nolint:gosec // letters and digits
}

func lineText(r tasks.Refusal) string {
	if r.Line == 0 {
		return ""
	}
	return strconv.Itoa(r.Line)
}

// batchRefusedCSV answers with the refused rows that a batch keeps.
func (v *visit) batchRefusedCSV() error {
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	w.UseCRLF = true
	_ = w.Write([]string{"row", "line", "candidate", "field", "reason", "remedy"})
	for cursor := ""; ; {
		list, err := v.refusedRows(cursor)
		if err != nil {
			return err
		}
		for _, r := range list.Refused {
			for _, p := range r.Problems {
				_ = w.Write([]string{strconv.Itoa(r.Row), lineText(r), noFormula(r.Candidate), noFormula(p.Field), noFormula(p.Message), noFormula(p.Remedy)})
			}
		}
		if cursor = list.Next; cursor == "" {
			break
		}
	}
	w.Flush()
	h := v.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="refused-rows-`+v.r.PathValue("batch")+`.csv"`)
	_, err := v.w.Write(file.Bytes())
	return err
}

// refusedRows reads a page of the refused rows of the visit's batch.
func (v *visit) refusedRows(cursor string) (api.RefusedList, error) {
	var list api.RefusedList
	query := url.Values{"limit": {"1000"}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	err := v.get(v.batchPath("refused"), query, &list)
	return list, err
}

// formula is where a cell may begin with what spreadsheets take for a formula. Not all of
// them part cells at commas: one that parts them at semicolons or tabs finds cells, and
// lines, within a text, and heeds no quote that stands inside of a cell.
var formula = regexp.MustCompile(`(^|[;\t\r\n])([\s"']*)([=+\-@])`)

// noFormula keeps a spreadsheet from reading a text, or a part of it, as a formula: the
// names of fields are as they were handed over.
func noFormula(text string) string { return formula.ReplaceAllString(text, "$1$2'$3") }
