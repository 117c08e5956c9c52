package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type readRow struct {
	c   Candidate
	err error
}

func collect(seq iter.Seq2[Candidate, error]) []readRow {
	var rows []readRow
	for c, err := range seq {
		rows = append(rows, readRow{c, err})
	}
	return rows
}

// describe formats rows and their problems, one block per row.
func describe(rows []readRow) string {
	var b strings.Builder
	for _, row := range rows {
		var refused *RowError
		switch {
		case errors.As(row.err, &refused):
			fmt.Fprintf(&b, "line %d id %q refused\n", refused.Line, refused.Candidate)
			for _, p := range refused.Problems {
				fmt.Fprintf(&b, "  %s | %s\n", p.Code, p)
			}
			continue
		case row.err != nil:
			fmt.Fprintf(&b, "reading ended: %v\n", row.err)
			continue
		}
		problems := row.c.Validate(Options{})
		state := "accepted"
		if len(problems) > 0 {
			state = "refused"
		}
		fmt.Fprintf(&b, "line %d id %q %s\n", row.c.Line(), OpaqueID(row.c.ID), state)
		for _, p := range problems {
			fmt.Fprintf(&b, "  %s | %s\n", p.Code, p)
		}
		for _, p := range row.c.Warnings() {
			fmt.Fprintf(&b, "  warning %s | %s\n", p.Code, p)
		}
		if len(problems) == 0 {
			text, err := json.Marshal(row.c.normalized())
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(&b, "  %s\n", text)
		}
	}
	return b.String()
}

func TestReadGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/read/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range inputs {
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := describe(collect(Read(bytes.NewReader(text), name)))
			golden := name + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

const anaJSON = `{"id":"c-1","first_name":"Ana","last_name":"Duarte","email":"ana@example.com"}`

func codesOf(rows []readRow) []string {
	var codes []string
	for _, row := range rows {
		var refused *RowError
		switch {
		case errors.As(row.err, &refused):
			for _, p := range refused.Problems {
				codes = append(codes, fmt.Sprintf("%d:%s", refused.Line, p.Code))
			}
		case row.err != nil:
			codes = append(codes, "error")
		default:
			codes = append(codes, fmt.Sprintf("%d:ok", row.c.Line()))
			for _, p := range row.c.Warnings() {
				codes = append(codes, fmt.Sprintf("%d:warning:%s", row.c.Line(), p.Code))
			}
		}
	}
	return codes
}

func TestReadRecognizes(t *testing.T) {
	const anaCSV = "id,first_name,last_name,email\nc-1,Ana,Duarte,ana@example.com\n"
	long := strings.Repeat("x", maxRow)
	for _, tc := range []struct {
		name, file, text string
		want             []string
	}{
		{"JSON on standard input by its brace", "-", "\n " + anaJSON, []string{"2:ok"}},
		{"a JSON array on standard input by its bracket", "-", "\xef\xbb\xbf[\n" + anaJSON + "\n]", []string{"2:ok"}},
		{"CSV on standard input by the lack of both", "-", anaCSV, []string{"2:ok"}},
		{"CSV by the file's ending", "people.CSV", anaCSV, []string{"2:ok"}},
		{"JSON lines by the file's ending", "people.jsonl", anaJSON, []string{"1:ok"}},
		{"nothing in an empty file", "-", "", nil},
		{"nothing in a blank file", "x.ndjson", " \n\r\n\t", nil},
		{"a byte order mark before JSON", "x.ndjson", "\xef\xbb\xbf" + anaJSON, []string{"1:ok"}},
		{"a byte order mark before CSV", "x.csv", "\xef\xbb\xbf" + anaCSV, []string{"2:ok"}},
		{"UTF-16 and refuses it", "x.csv", "\xff\xfei\x00d\x00", []string{"1:not_utf8"}},
		{"a workbook and refuses it", "x.xlsx", "PK\x03\x04....", []string{"1:not_text"}},
		{"CRLF and blank lines in JSON", "x.ndjson", anaJSON + "\r\n\r\n  \r\n" + anaJSON + "\r\n", []string{"1:ok", "4:ok"}},
		{"CRLF, CR and blank lines in CSV", "x.csv", "id,email\r\n\r\na,b\rc,d\n,\n", []string{"3:ok", "4:ok"}},
		{"semicolons in the header", "x.csv", "id;first_name;email\n1;Ana;a@example.com\n", []string{"2:ok"}},
		{"tabs in the header", "x.csv", "id\tfirst_name\n1\tAna, B\n", []string{"2:ok"}},
		{"Excel's separator line", "x.csv", "sep=;\r\nid;email\r\n1;2\r\n", []string{"3:ok"}},
		{"Excel's separator line behind blank ones", "x.csv", "\n\r\n\n\n\n\n\n\nsep=|\nid|email\n1|2\n", []string{"11:ok"}},
		{"an over-long JSON line and skips it", "x.ndjson", anaJSON + "\n" + long + "yy\n" + anaJSON, []string{"1:ok", "2:row_too_long", "3:ok"}},
		{"a JSON line without end", "x.ndjson", anaJSON + "\n" + long + long, []string{"1:ok", "2:row_too_long"}},
		{"an over-long array element and skips it", "x.json", `[` + anaJSON + `,{"id":"` + long + "\"},\n" + anaJSON + `]`, []string{"1:ok", "1:row_too_long", "2:ok"}},
		{"an over-long CSV row and skips it", "x.csv", "id\n1\n" + long + "y\n2\n", []string{"2:ok", "3:row_too_long", "4:ok"}},
		{"a header that is too long", "x.csv", long + "y\n2\n", []string{"1:row_too_long"}},
		{"a quote that is never closed", "x.csv", "id\n1\n\"2\n3\n", []string{"2:ok", "3:quote_open"}},
		{"a quote not closed within 100 lines, and the rows after it", "x.csv", "id\n\"1" + strings.Repeat("\nx", 100) + "\n7\n", []string{"2:quote_open", "102:ok", "103:ok"}},
		{"text after a closing quote", "x.csv", "id,email\n\"1\" x,\"2\n3,4\n", []string{"2:quote_stray", "3:ok"}},
		{"quotes inside a bare cell as they are", "x.csv", "id,first_name\n1,5\" tall\n", []string{"2:ok"}},
		{"a short row", "x.csv", "id,email\n1\n", []string{"2:ok", "2:warning:row_short"}},
		{"empty cells beyond the header", "x.csv", "id,email,,\n1,2,,\n1,2,,3\n", []string{"2:ok", "3:row_too_wide"}},
		{"a row of countless cells", "x.csv", "id\n" + strings.Repeat(",", 5000) + "1\n2\n", []string{"2:row_too_wide", "3:ok"}},
		{"a header without a known column", "x.csv", "Ana,Duarte\nB,C\n", []string{"1:header_unknown"}},
		{"a column named twice", "x.csv", "id,email,id\n1,2,3\n", []string{"1:header_repeated"}},
		{"the header of a joined file", "x.csv", "id,email\n1,2\nid,email\n", []string{"2:ok", "3:header_again"}},
		{"unknown columns once, not per row", "x.csv", "id,shoe\n1,2\n3,4\n", []string{"2:ok", "2:warning:column_unknown", "3:ok"}},
		{"trailing data on a line", "x.ndjson", anaJSON + " x\n" + anaJSON + anaJSON, []string{"1:trailing_data", "2:trailing_data"}},
		{"an array on a line that is not the first", "x.ndjson", anaJSON + "\n[]\n", []string{"1:ok", "2:not_object"}},
		{"an unfinished array", "x.json", "[" + anaJSON + ",\n", []string{"1:ok", "2:array_unfinished"}},
		{"an array cut within a candidate", "x.json", "[" + anaJSON + `,{"id":"]`, []string{"1:ok", "1:array_unfinished"}},
		{"text behind an array", "x.json", "[" + anaJSON + "]\nx", []string{"1:ok", "2:trailing_data"}},
		{"scalars in an array", "x.json", `[1,"a]b",null, ` + anaJSON + `]`, []string{"1:not_object", "1:not_object", "1:not_object", "1:ok"}},
		{"an indented array", "x.json", "[\n  {\n    \"id\": \"{1}\"\n  }\n]\n", []string{"2:ok"}},
		{"a NUL byte in JSON", "x.ndjson", "{\"id\":\"a\x00\"}", []string{"1:not_json"}},
		{"invalid UTF-8 in JSON", "x.ndjson", "{\"id\":\"a\xff\"}", []string{"1:not_utf8"}},
		{"invalid UTF-8 in a CSV row", "x.csv", "id\n\xe9\n1\n", []string{"2:not_utf8", "3:ok"}},
		{"deep nesting", "x.ndjson", `{"id":` + strings.Repeat("[", 100_000) + "\n" + anaJSON, []string{"1:nested_too_deep", "2:ok"}},
		{"a surrogate without its other half", "x.ndjson", `{"id":"1","first_name":"A\ud83d"}`, []string{"1:ok", "1:warning:characters_lost"}},
		{"a repeated key", "x.ndjson", `{"id":"1","id":"2"}`, []string{"1:field_repeated"}},
		{"a number for text", "x.ndjson", `{"id":1,"first_name":{"x":[1]},"phones":"1","education":[2]}`, []string{"1:wrong_type", "1:wrong_type", "1:wrong_type", "1:wrong_type"}},
		{"null as empty", "x.ndjson", `{"id":"1","phones":null,"email":null,"education":[null]}`, []string{"1:ok"}},
		{"fields in other spelling, and warns", "x.ndjson", `{"id":"1","Email":"x","phones":[{"Number":"1"}]}`, []string{"1:ok", "1:warning:field_unknown", "1:warning:field_unknown"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := codesOf(collect(Read(strings.NewReader(tc.text), tc.file)))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			slow := codesOf(collect(Read(iotest.OneByteReader(strings.NewReader(tc.text)), tc.file)))
			if diff := cmp.Diff(tc.want, slow); diff != "" {
				t.Errorf("read byte by byte: -want +got\n%s", diff)
			}
		})
	}
}

func TestReadFailureEndsReading(t *testing.T) {
	broken := errors.New("disk gone")
	for _, tc := range []struct {
		name, file, text string
		rows             int
	}{
		{"JSON lines", "x.ndjson", anaJSON + "\n" + anaJSON[:20], 1},
		{"a JSON array", "x.json", "[" + anaJSON + ",", 1},
		{"behind a JSON array", "x.json", "[" + anaJSON + "]", 1},
		{"CSV", "x.csv", "id,email\n1,2\n3,", 1},
		{"before anything", "-", "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rows := collect(Read(io.MultiReader(strings.NewReader(tc.text), iotest.ErrReader(broken)), tc.file))
			if len(rows) != tc.rows+1 || !errors.Is(rows[tc.rows].err, broken) {
				t.Fatalf("got %v, want %d rows and the error", codesOf(rows), tc.rows)
			}
			if _, ok := errors.AsType[*RowError](rows[tc.rows].err); ok {
				t.Error("an I/O error passes as a refused row")
			}
		})
	}
}

func TestReadStopsWhenAsked(t *testing.T) {
	for _, tc := range []struct{ name, file, text string }{
		{"JSON lines", "x.ndjson", anaJSON + "\n" + anaJSON},
		{"JSON array", "x.json", "[" + anaJSON + "," + anaJSON + "]"},
		{"CSV", "x.csv", "id\n1\n2\n"},
		{"refused rows", "x.ndjson", "x\ny\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := 0
			for range Read(strings.NewReader(tc.text), tc.file) {
				n++
				break
			}
			if n != 1 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

// endless yields the same byte left times.
type endless struct {
	left int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	e.left -= n
	for i := range p[:n] {
		p[i] = 'x'
	}
	return n, nil
}

func TestReadersSkipOverlongRows(t *testing.T) {
	const size = 16 * maxRow
	for _, tc := range []struct{ name, file, head string }{
		{"a JSON line", "x.ndjson", ""},
		{"a JSON string in an array", "x.json", `[{"id":"`},
		{"a CSV cell", "x.csv", "id\n"},
		{"a quoted CSV cell", "x.csv", "id\n\""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			rows := collect(Read(io.MultiReader(strings.NewReader(tc.head), &endless{left: size}), tc.file))
			runtime.ReadMemStats(&after)
			if len(rows) != 1 || rows[0].err == nil {
				t.Errorf("read %v", codesOf(rows))
			}
			if held := after.TotalAlloc - before.TotalAlloc; held > size/2 {
				t.Errorf("allocated %d bytes for a row of %d", held, size)
			}
		})
	}
}

func TestCSVGroups(t *testing.T) {
	const text = "work2_title,phone1_number,phone1_type,phone2_number,phone2_type,id,work1_employer,work1_start,work1_end,education1_school,education1_degree,linkedin_url,phone12_number\n" +
		"Lead,1 2,mobile,,home,c-1,\"Contoso, \"\"Ltd\"\"\",2021-03,,Porto,MSc,https://example.com/in/x,3\n"
	rows := collect(ReadCSV(strings.NewReader(text)))
	if len(rows) != 1 || rows[0].err != nil {
		t.Fatal(describe(rows))
	}
	want := Candidate{ID: "c-1", LinkedInURL: "https://example.com/in/x",
		Phones:         []Phone{{"1 2", "mobile"}, {"3", ""}},
		WorkExperience: []WorkExperience{{Employer: `Contoso, "Ltd"`, Start: "2021-03"}, {Title: "Lead"}},
		Education:      []Education{{"Porto", "MSc"}},
	}
	got := rows[0].c
	got.origin = origin{}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Candidate{}, origin{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestHints(t *testing.T) {
	for _, tc := range []struct{ header, want string }{
		{"Email", `rename it to "email"`},
		{"firstName", `rename it to "first_name"`},
		{"E-Mail", `rename it to "email"`},
		{"Phone", `rename it to "phone1_number"`},
		{"edu2_school", `rename it to "education2_school"`},
		{"work1_company", `rename it to "work1_employer"`},
		{"Shoe size", "remove it"},
		{"phone0_number", `rename it to "phone1_number"`},
	} {
		t.Run(tc.header, func(t *testing.T) {
			rows := collect(ReadCSV(strings.NewReader("id," + tc.header + "\n1,2\n")))
			if len(rows) != 1 || len(rows[0].c.Warnings()) != 1 || !strings.Contains(rows[0].c.Warnings()[0].Remedy, tc.want) {
				t.Errorf("got %v, want %q", rows[0].c.Warnings(), tc.want)
			}
		})
	}
	t.Run("other systems' column names get a hint, without repeating the name", func(t *testing.T) {
		rows := collect(ReadCSV(strings.NewReader("Given Name,Surname,E-mail\n1,2,3\n")))
		text := rows[0].err.Error()
		if !strings.Contains(text, "column 1 to first_name, column 2 to last_name, column 3 to email") || strings.Contains(text, "Surname") {
			t.Error(text)
		}
	})
	t.Run("a JSON key that may be a value is not shown", func(t *testing.T) {
		rows := collect(ReadNDJSON(strings.NewReader(`{"id":"1","ana@example.com":1,"phones":[{"+1 425":"x"}]}`)))
		text := describe(rows)
		if !strings.Contains(text, "field_unknown") || strings.Contains(text, "ana@") || strings.Contains(text, "+1 425") {
			t.Error(text)
		}
	})
}
