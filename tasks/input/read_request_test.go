package input

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadRequest(t *testing.T) {
	blanks := strings.Repeat(" ", ReadAhead)
	specs := []struct {
		name, body string
		want       string // target, options and candidates; or the error
	}{
		{"a job, its options and candidates", `{"job": 1709, "options": {"generate_dummy_emails": true}, "candidates": [{"id":"a"},{"id":"b"}]}`, "job 1709, dummies, a b"},
		{"prospects, sent again", `{"prospects":true,"options":{"include_previously_exported":true},"candidates":[{"id":"a"}]}`, "prospects, again, a"},
		{"white space anywhere", " {\n \"job\" :\t7 ,\n \"candidates\" : [ {\"id\":\"a\"} ] } \n", "job 7, a"},
		{"only candidates", `[{"id":"a"}]`, "a"},
		{"a byte order mark", "\xef\xbb\xbf{\"candidates\":[]}", ""},
		{"no candidates in the list", `{"job":7,"candidates":[]}`, "job 7"},
		{"null for missing members", `{"job":null,"options":null,"candidates":[{"id":"a"}]}`, "a"},
		{"an invalid row among valid ones", `{"candidates":[{"id":"a"},7,{"id":"b"}]}`, "a refused:not_object b"},
		{"candidates before the job, as sorted by name", `{"candidates":[{"id":"a"}],"job":7,"options":{"generate_dummy_emails":true}}`, "job 7, dummies, a"},
		{"options after the candidates", `{"prospects":true,"candidates":[{"id":"a"},{"id":"b"}],"options":{"include_previously_exported":true}}`, "prospects, again, a b"},
		{"an invalid value after the candidates", `{"candidates":[{"id":"a"}],"job":"7"}`, "error job"},
		{"an unknown member after the candidates", `{"job":7,"candidates":[{"id":"a"}],"id":"ana@example.com"}`, "error body"},
		{"a member on both sides of the candidates", `{"job":7,"candidates":[{"id":"a"}],"job":7}`, "error body"},
		{"brackets and quotes within candidates", `{"candidates":[{"id":"a","last_name":"]}\"],"}],"job":7}`, "job 7, a"},
		{"a long list after the job", `{"job":7,"candidates":[{"id":"a"},` + blanks + `{"id":"b"}]}`, "job 7, long, a b"},
		{"a long list before the job", `{"candidates":[{"id":"a"},` + blanks + `{"id":"b"}],"job":7}`, "long, a b refused:trailing_data"},
		{"a list that ends early after the job", `{"job":7,"candidates":[{"id":"a"},`, "job 7, cut, a refused:array_unfinished"},
		{"more after the object", `{"candidates":[{"id":"a"}]}{}`, "a refused:trailing_data"},
		{"an object that ends early after the list", `{"job":7,"candidates":[{"id":"a"}]`, "job 7, cut, a refused:array_unfinished"},
		{"a list that ends early, without a destination", `{"candidates":[{"id":"a"},`, "cut, a refused:array_unfinished"},
		{"no candidates at all", `{"job":7}`, "error candidates"},
		{"candidates that are not a list", `{"candidates":{"id":"a"}}`, "error candidates"},
		{"an unknown member", `{"id":"ana@example.com","candidates":[]}`, "error body"},
		{"a member given twice", `{"job":7,"job":8,"candidates":[]}`, "error body"},
		{"a job that is a string", `{"job":"7","candidates":[]}`, "error job"},
		{"a job that is not an integer", `{"job":7.5,"candidates":[]}`, "error job"},
		{"a job that is too long", `{"job":` + strings.Repeat("7", 100_000), "error job"},
		{"an unknown option", `{"options":{"dummies":true},"candidates":[]}`, "error options"},
		{"something other than an object", `"ana@example.com"`, "error body"},
		{"no JSON at all", `{job:7}`, "error body"},
		{"nothing", ``, "error body"},
		{"an object that ends early", "{\"job\":7,\n", "failed: the input ends in the middle of line 2"},
		{"a value that ends early", `{"job":7`, "failed: the input ends in the middle of line 1"},
		{"UTF-16", "\xff\xfe{\x00", "error body"},
	}
	for _, s := range specs {
		t.Run(s.name, func(t *testing.T) {
			got := describeRequest(ReadRequest(iotest.OneByteReader(strings.NewReader(s.body))))
			if got != s.want {
				t.Errorf("got %q, want %q", got, s.want)
			}
		})
	}
}

func describeRequest(q Request, err error) string {
	if err != nil {
		if refused, ok := errors.AsType[*BatchError](err); ok && !strings.Contains(err.Error(), "ana@example.com") {
			return "error " + refused.Field
		}
		return "failed: " + err.Error()
	}
	var told []string
	switch {
	case q.Job != nil:
		told = append(told, fmt.Sprintf("job %d", *q.Job))
	case q.Prospects != nil:
		told = append(told, "prospects")
	}
	if q.Options.GenerateDummyEmails != nil {
		told = append(told, "dummies")
	}
	if q.Options.IncludePreviouslyExported != nil {
		told = append(told, "again")
	}
	if q.Unread != nil {
		told = append(told, map[bool]string{true: "long", false: "cut"}[errors.Is(q.Unread, ErrLongList)])
	}
	var rows []string
	for _, row := range collect(q.Candidates) {
		switch refused, ok := errors.AsType[*RowError](row.err); {
		case ok:
			rows = append(rows, "refused:"+refused.Problems[0].Code)
		case row.err != nil:
			rows = append(rows, "ended: "+row.err.Error())
		default:
			rows = append(rows, row.c.ID)
		}
	}
	if len(rows) > 0 {
		told = append(told, strings.Join(rows, " "))
	}
	return strings.Join(told, ", ")
}

func TestReadRequestDistinguishesAReadErrorFromTheEnd(t *testing.T) {
	broken := errors.New("connection reset")
	for _, body := range []string{``, `{"job":7`, `{"candidates":[{"id":"a"},{"id"`, `{"candidates":[{"id":"a"}]`} {
		q, err := ReadRequest(io.MultiReader(strings.NewReader(body), iotest.ErrReader(broken)))
		if err == nil {
			rows := collect(q.Candidates)
			err = rows[len(rows)-1].err
		}
		if !errors.Is(err, broken) {
			t.Errorf("after %q: %v", body, err)
		}
	}
}
