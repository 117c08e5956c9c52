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
	"github.com/seekout/icims-export/tasks/input"
)

// refusedFile is a list of refused rows as CSV. It is embedded in the page, so that the server
// stores nothing and the link works after the session has ended.
type refusedFile struct {
	// Rows is the number of rows in it.
	Rows int
	// URL contains the file.
	URL template.URL
}

// largestRefusedFile is the maximum size in bytes, so that browsers accept the URL: Chromium's
// limit is 2 MiB, and base64 adds a third.
const largestRefusedFile = 1_400_000

// fileOf writes a line per problem: the row's position, the problem and the remedy. It contains no
// data of the row, not even an ID.
func fileOf(refused []input.Refusal) refusedFile {
	var file bytes.Buffer
	whole, rows := 0, 0
	w := csv.NewWriter(&file)
	w.UseCRLF = true // as RFC 4180 and spreadsheets expect
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
	return refusedFile{rows, template.URL("data:text/csv;charset=utf-8;base64," + base64.StdEncoding.EncodeToString(file.Bytes()))} //nolint:gosec // base64
}

func lineText(r input.Refusal) string {
	if r.Line == 0 {
		return ""
	}
	return strconv.Itoa(r.Line)
}

// batchRefusedCSV responds with the refused rows that a batch keeps.
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

// formula matches where a spreadsheet may find a formula. Some spreadsheets separate cells at
// semicolons or tabs instead of commas: they find cells and lines within a text, and ignore quotes
// inside a cell.
var formula = regexp.MustCompile(`(^|[;\t\r\n])([\s"']*)([=+\-@])`)

// noFormula keeps spreadsheets from reading a text, or a part of it, as a formula: field names come
// from the input.
func noFormula(text string) string { return formula.ReplaceAllString(text, "$1$2'$3") }
