package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// canary marks values, to distinguish a leaked value from a word of the message.
const canary = "Zq7xKv"

func FuzzReadNDJSON(f *testing.F) { fuzzReader(f, "*.*json", ReadNDJSON) }

func FuzzReadCSV(f *testing.F) { fuzzReader(f, "*.csv", ReadCSV) }

func fuzzReader(f *testing.F, seeds string, read func(io.Reader) iter.Seq2[Candidate, error]) {
	names, err := filepath.Glob("testdata/read/" + seeds)
	if err != nil || len(names) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		for line := range bytes.Lines(text) {
			f.Add(line)
		}
	}
	f.Add([]byte(`{"id":"` + canary + ` x","email":"` + canary + `","phones":[{"number":["` + canary + `"]}],"` + canary + ` a":1}`))
	f.Add([]byte("id,email,work1_start,work1_end\n" + canary + " x," + canary + "," + canary + ",\"" + canary + "\n"))
	f.Add([]byte(canary + " a," + canary + "@example.com\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rows := 0
		for c, err := range read(bytes.NewReader(text)) {
			if rows++; rows > len(text)+1 {
				t.Fatal("more rows than the input can hold")
			}
			checkRow(t, c, err, bytes.Count(text, []byte{'\n'})+bytes.Count(text, []byte{'\r'})+1)
		}
	})
}

func checkRow(t *testing.T, c Candidate, err error, lines int) {
	t.Helper()
	var refused *RowError
	switch {
	case errors.As(err, &refused):
		if refused.Line < 1 || refused.Line > lines {
			t.Errorf("line %d of %d", refused.Line, lines)
		}
		if len(refused.Problems) == 0 || len(refused.Problems) > maxProblems {
			t.Errorf("%d problems", len(refused.Problems))
		}
		checkProblems(t, refused.Problems, refusingCodes)
		return
	case err != nil:
		t.Fatalf("reading from memory failed: %v", err)
	}
	if c.Line() < 1 || c.Line() > lines {
		t.Errorf("line %d of %d", c.Line(), lines)
	}
	checkProblems(t, c.Warnings(), warningCodes)
	problems := c.Validate(Options{GenerateDummyEmails: true})
	checkProblems(t, problems, refusingCodes)
	if len(problems) > 0 {
		return
	}
	n := c.normalized()
	if len(n.Validate(Options{GenerateDummyEmails: true})) > 0 {
		t.Error("accepted, but not once normalized")
	}
	text, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	again, decodeProblems := decodeCandidate(text)
	if len(decodeProblems) > 0 {
		t.Fatalf("an accepted candidate cannot be read again: %v", decodeProblems)
	}
	n.origin, again.origin = origin{}, origin{}
	if diff := cmp.Diff(n, again, cmp.AllowUnexported(Candidate{}, origin{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("changed by its way through JSON\n%s", diff)
	}
}

func checkProblems(t *testing.T, problems []Problem, codes []string) {
	t.Helper()
	for _, p := range problems {
		if !slices.Contains(codes, p.Code) {
			t.Errorf("unknown code %q", p.Code)
		}
		// The name of an unknown field is shown if it looks like one. A canary may appear there,
		// but nowhere else.
		told := p.Message + p.Remedy
		if p.Code != codeFieldUnknown && p.Code != codeColumnUnknown {
			told += p.Field
		}
		if strings.Contains(told, canary) {
			t.Errorf("%s leaks a value: %s", p.Code, p)
		}
		if !utf8.ValidString(p.String()) || strings.ContainsAny(p.String(), "\x00\n\r") {
			t.Errorf("%s is no clean text: %q", p.Code, p)
		}
	}
}
