package console

import (
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/tasks/input"
)

// textOf decodes the file in a URL.
func textOf(t *testing.T, address string) string {
	t.Helper()
	text, ok := strings.CutPrefix(address, "data:text/csv;charset=utf-8;base64,")
	if !ok {
		t.Fatalf("the file is at %.60q", address)
	}
	file, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(file)
}

// rowsIn parses the file in a URL.
func rowsIn(t *testing.T, address string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(textOf(t, address))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

var download = regexp.MustCompile(`download="refused-rows\.csv" href="([^"]*)"`)

// downloaded parses the file in a page.
func (s shown) downloaded(t *testing.T) [][]string {
	t.Helper()
	found := download.FindAllStringSubmatch(s.text, -1)
	if len(found) != 1 {
		t.Fatalf("there are %d files in %s", len(found), s.text)
	}
	return rowsIn(t, html.UnescapeString(found[0][1]))
}

func TestRefusedRowsDownloadHasNoPersonalData(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	p := w.person(api.ScopeExport, mine)
	content := csvOf("c-1") + "c-3,Secretname,Quillfeather,\n\"c 4\",Secretname,Quillfeather,not an address\n"
	head, first := []string{"row", "line", "field", "reason", "remedy"}, []string{"2", "3", "email", "is missing; iCIMS requires it"}
	for _, path := range []string{exportPath + "/preview", exportPath} {
		got := p.send(path, "a.csv", content, "key", newKey(), "job", "7")
		got.wants(t, http.StatusOK, "All rows: row number, field, reason and remedy")
		rows := got.downloaded(t)
		if len(rows) != 4 || !cmp.Equal(rows[0], head) || !cmp.Equal(rows[1][:4], first) {
			t.Fatalf("%s: %q", path, rows)
		}
		fields := map[string]bool{}
		for _, row := range rows[2:] { // both are problems of one row
			fields[row[2]] = true
			if row[0] != "3" || row[1] != "4" || row[3] == "" || row[4] == "" {
				t.Errorf("%s: %q", path, row)
			}
		}
		if !fields["id"] || !fields["email"] {
			t.Errorf("%s: %q", path, rows)
		}
		for _, held := range []string{"c-3", "c 4", "Secretname", "not an address"} {
			if strings.Contains(fmt.Sprint(rows), held) {
				t.Errorf("%s: %q is in the file: %q", path, held, rows)
			}
		}
	}
	p.send(exportPath+"/preview", "a.csv", csvOf("c-9"), "key", newKey(), "job", "7").lacks(t, "refused-rows.csv")
}

func TestRefusedRowsFileSaysIfItIsIncomplete(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	var content strings.Builder
	content.WriteString("id,first_name,last_name,email\n")
	for i := range 1010 {
		fmt.Fprintf(&content, "c-%d,A,B,\n", i+1)
	}
	got := w.person(api.ScopeExport).send(exportPath+"/preview", "a.csv", content.String(), "key", newKey(), "job", "7")
	got.wants(t, http.StatusOK, "1,010 rows refused. Counts below cover the first 1,000", "The first 1,000 of 1,010 rows: row number")
	if rows := got.downloaded(t); len(rows) != 1001 || rows[1000][0] != "1000" {
		t.Errorf("%d rows", len(rows))
	}
}

func TestRefusedRowsFileFitsIntoItsURL(t *testing.T) {
	var refused []input.Refusal
	for i := range 1000 {
		r := input.Refusal{Row: i + 1}
		for range 20 {
			r.Problems = append(r.Problems, input.Problem{Field: "email", Message: strings.Repeat("x", 50), Remedy: strings.Repeat("y", 50)})
		}
		refused = append(refused, r)
	}
	file := fileOf(refused)
	if file.Rows == 0 || file.Rows == len(refused) || len(file.URL) >= 2<<20 {
		t.Errorf("%d rows in %d letters", file.Rows, len(file.URL))
	}
	if rows := rowsIn(t, string(file.URL)); len(rows) != 1+20*file.Rows {
		t.Errorf("%d lines of %d rows", len(rows), file.Rows)
	}
}

func TestRefusedRowsFileHasNoFormulas(t *testing.T) {
	refused := []input.Refusal{{Row: 1, Candidate: "c-1", Problems: []input.Problem{{Field: `=HYPERLINK("x")`, Message: "is, as \"quoted\",\nwrong", Remedy: "-"}}}}
	want := [][]string{{"row", "line", "field", "reason", "remedy"}, {"1", "", `'=HYPERLINK("x")`, "is, as \"quoted\",\nwrong", "'-"}}
	if diff := cmp.Diff(want, rowsIn(t, string(fileOf(refused).URL))); diff != "" {
		t.Error(diff)
	}
}

// cells returns the cells that a spreadsheet finds if it separates them at a character and
// recognizes quotes only at the start of a cell.
func cells(t *testing.T, text string, at rune) []string {
	t.Helper()
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = at, true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(rows...)
}

func TestRefusedRowsFileHasNoFormulasForAnySeparator(t *testing.T) {
	parts := []string{"x", ";", "\t", "\n", "\r", ",", " ", `"`, "'", "=", "+", "-", "@"}
	rapid.Check(t, func(rt *rapid.T) {
		field := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 8).Draw(rt, "field"), "")
		file := fileOf([]input.Refusal{{Row: 1, Problems: []input.Problem{{Field: field, Message: "is wrong", Remedy: "correct it"}}}})
		text := textOf(t, string(file.URL))
		for _, at := range ",;\t" {
			for _, cell := range cells(t, text, at) {
				if begin := strings.TrimLeft(cell, "\"\t\r\n "); begin != "" && strings.ContainsRune("=+-@", rune(begin[0])) {
					rt.Errorf("parted at %q, %q has the cell %q", at, text, cell)
				}
			}
		}
	})
}

func TestFormulasAreEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"first_name": "first_name", "e-mail": "e-mail", "a;b": "a;b", "=1": "'=1", "\t@x": "\t'@x",
		"x;=1": "x;'=1", "x\t+1": "x\t'+1", "x\n-1": "x\n'-1", `x;"=1`: `x;"'=1`, ";;=1;=2": ";;'=1;'=2",
	} {
		if got := noFormula(text); got != want {
			t.Errorf("%q is written %q, want %q", text, got, want)
		}
	}
}

func TestBatchShowsRefusedRows(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	p := w.person(api.ScopeExport, mine)
	var content strings.Builder
	content.WriteString(csvOf("c-0"))
	const refused = 1010
	for i := range refused {
		fmt.Fprintf(&content, "c-%d,Secretname,Quillfeather,\n", i+1)
	}
	content.WriteString("dee@example.com,Dee,Quillfeather,dee@example.com\n")
	p.send(exportPath, "a.csv", content.String(), "key", newKey(), "job", "7").wants(t, http.StatusOK, "keeps them")
	batches, _, err := w.ledger.Batches.Page(t.Context(), mine, "", 10)
	if err != nil || len(batches) != 1 {
		t.Fatalf("%+v, %v", batches, err)
	}
	path := "/customers/1234/batches/" + string(batches[0].ID)
	reader := w.person(api.ScopeRead, mine)
	page := reader.get(path)
	page.wants(t, http.StatusOK, "1,011 rows refused. Counts below cover the first 1,000", "1,000 × <code>email</code>", `href="`+path+`/refused.csv"`, "All rows: row number, candidate ID, field", `<span class="id">c-1</span>`)
	page.lacks(t, "Secretname", "data:text/csv")

	file := reader.get(path + "/refused.csv")
	if file.Header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(file.Header.Get("Content-Disposition"), "attachment;") {
		t.Errorf("%v", file.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(file.text)).ReadAll()
	if err != nil || len(rows) != 1+refused+1 {
		t.Fatalf("%d lines, %v", len(rows), err)
	}
	for i, want := range map[int][]string{
		0:           {"row", "line", "candidate", "field"},
		refused:     {"1011", "1012", "c-1010", "email"},
		refused + 1: {"1012", "1013", "", "id"},
	} {
		if diff := cmp.Diff(want, rows[i][:4]); diff != "" {
			t.Errorf("line %d (-want +got):\n%s", i, diff)
		}
	}
	for _, value := range []string{"Secretname", "Quillfeather", "dee@", "Dee"} {
		if strings.Contains(file.text, value) {
			t.Errorf("%q is in the file", value)
		}
	}
	w.person(api.ScopeRead, "77").get(path+"/refused.csv").wants(t, http.StatusNotFound)
}

func TestBatchWithoutRefusedRowsSaysSo(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	id, _ := w.accept(mine, 7, "c-1")
	p := w.person(api.ScopeRead, mine)
	p.get("/customers/1234/batches/"+string(id)).lacks(t, "Refused rows")
	if err := w.ledger.Batches.Close(t.Context(), id, 3); err != nil {
		t.Fatal(err)
	}
	p.get("/customers/1234/batches/"+string(id)).wants(t, http.StatusOK, "Refused rows", "Details are not available")
}
