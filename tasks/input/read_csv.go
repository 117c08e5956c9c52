package input

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// ReadCSV reads candidates from CSV with a header row; docs/input.md lists the columns. It detects
// semicolons and tabs as delimiters from the header. It reads one row at a time, in constant
// memory.
//
// A *RowError refuses one row and reading continues, except after a refused header. Any other error
// comes from r and is the last value.
func ReadCSV(r io.Reader) iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) {
		readCSV(newSource(r), yield)
	}
}

func readCSV(in *source, yield func(Candidate, error) bool) {
	if refused := in.begin(); refused != nil {
		yield(Candidate{}, refused)
		return
	}
	f := csvFile{reader: csvReader{in: in, comma: in.delimiter()}}
	for {
		rec, err := f.reader.next()
		if err != nil {
			if err = in.readFailed(err); err != nil {
				yield(Candidate{}, err)
			}
			return
		}
		if rec.blank() {
			continue
		}
		if f.header == nil {
			if refused := f.readHeader(rec); refused != nil {
				yield(Candidate{}, refused)
				return
			}
			continue
		}
		c, refused := f.candidate(rec)
		if refused != nil {
			if !yield(Candidate{}, refused) {
				return
			}
			continue
		}
		if !yield(c, nil) {
			return
		}
	}
}

// csvFile is a CSV file with a valid header.
type csvFile struct {
	reader csvReader
	header []string
	// columns holds how to store a cell, by position; nil for unknown columns.
	columns []func(*csvRow, string)
	// pending are the header's warnings, to be reported with the first candidate.
	pending []Problem
}

func (f *csvFile) readHeader(rec *csvRecord) *RowError {
	if rec.problem != nil {
		refused := refusal(rec.line, "", *rec.problem)
		refused.Cut = rec.cut
		return refused
	}
	if !utf8.Valid(rec.text) {
		return refusal(rec.line, "", Problem{Code: codeNotUTF8, Message: "the header is not valid UTF-8", Remedy: `save the file as UTF-8 (in Excel "CSV UTF-8")`})
	}
	f.header = make([]string, rec.cells())
	for i := range f.header {
		f.header[i] = clean(string(rec.cell(i)))
	}
	for n := len(f.header); n > 0 && f.header[n-1] == ""; n-- {
		f.header = f.header[:n-1] // spreadsheets add empty columns
	}
	var problems []Problem
	known := 0
	seen := make(map[string]bool, len(f.header))
	for i, name := range f.header {
		store, ok := csvColumn(name)
		f.columns = append(f.columns, store)
		switch {
		case !ok:
			f.pending = addProblem(f.pending, unknownColumn(i, name))
		case seen[name]:
			problems = addProblem(problems, Problem{Field: name, Code: codeHeaderRepeated, Message: "is a duplicate column name", Remedy: "rename or remove one of them"})
		}
		if ok {
			known++
			seen[name] = true
		}
	}
	if known == 0 {
		problems = []Problem{noColumnKnown(f.header)}
	}
	if len(problems) > 0 {
		return refusal(rec.line, "", problems...)
	}
	return nil
}

func unknownColumn(i int, name string) Problem {
	p := Problem{Code: codeColumnUnknown, Message: fmt.Sprintf("column %d is unknown and was ignored", i+1), Remedy: "remove it or rename it"}
	if showable(name) {
		p.Field = name
	}
	if intended := intendedColumn(name); intended != "" {
		p.Remedy = fmt.Sprintf("rename it to %q", intended)
	}
	if p.Field == "" {
		// Without a name, the number of the column distinguishes the warnings.
		p.Field = fmt.Sprintf("column %d", i+1)
	}
	return p
}

func noColumnKnown(header []string) Problem {
	p := Problem{Code: codeHeaderUnknown, Message: "the first row has no known column name, so nothing was read",
		Remedy: "start the file with a header row of these columns: id, first_name, last_name, email, phone1_number, phone1_type, linkedin_url, " +
			"work1_employer, work1_title, work1_start, work1_end, education1_school, education1_degree"}
	var renames []string
	for i, name := range header {
		if intended := intendedColumn(name); intended != "" && len(renames) < maxProblems {
			renames = append(renames, fmt.Sprintf("column %d to %s", i+1, intended))
		}
	}
	if renames != nil {
		p.Remedy += "; rename " + strings.Join(renames, ", ")
	}
	return p
}

// candidate reads one data row.
func (f *csvFile) candidate(rec *csvRecord) (Candidate, *RowError) {
	if rec.problem != nil {
		p := *rec.problem
		if rec.endLine > rec.line {
			p.Message += fmt.Sprintf(" (lines %d to %d were skipped)", rec.line, rec.endLine)
		}
		refused := refusal(rec.line, "", p)
		refused.Cut = rec.cut
		return Candidate{}, refused
	}
	if !utf8.Valid(rec.text) {
		return Candidate{}, refusal(rec.line, "", Problem{Code: codeNotUTF8, Message: "the row is not valid UTF-8", Remedy: `save the file as UTF-8 (in Excel "CSV UTF-8")`})
	}
	row := csvRow{}
	for i, store := range f.columns {
		cell := string(rec.cell(i))
		if store == nil || cell == "" {
			continue
		}
		store(&row, cell)
		if strings.ContainsRune(cell, utf8.RuneError) {
			row.warn(Problem{Field: f.header[i], Code: codeCharactersLost, Message: charactersLost, Remedy: charactersLostRemedy})
		}
	}
	c := row.candidate()
	if f.isHeader(rec) {
		return Candidate{}, refusal(rec.line, "", Problem{Code: codeHeaderAgain, Message: "the row repeats the header", Remedy: "remove it; files joined together need one header"})
	}
	for i := len(f.header); i < rec.cells(); i++ {
		if len(bytes.TrimSpace(rec.cell(i))) > 0 {
			return Candidate{}, refusal(rec.line, c.ID, Problem{Code: codeRowTooWide,
				Message: fmt.Sprintf("the row has %d cells, the header %d", rec.cells(), len(f.header)), Remedy: "quote values that contain the separator"})
		}
	}
	if rec.cells() < len(f.header) {
		row.warn(Problem{Code: codeRowShort, Message: fmt.Sprintf("the row has %d cells, the header %d; the rest was taken as empty", rec.cells(), len(f.header)),
			Remedy: "check that the row is complete, and quote values with line breaks"})
	}
	c.origin.line = rec.line
	c.origin.warnings = slices.Concat(f.pending, row.warnings)
	f.pending = nil
	return c, nil
}

func (f *csvFile) isHeader(rec *csvRecord) bool {
	for i, name := range f.header {
		if clean(string(rec.cell(i))) != name {
			return false
		}
	}
	return true
}
