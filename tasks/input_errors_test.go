package tasks_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

func TestBatchEndsAtTheRowLimit(t *testing.T) {
	t.Parallel()
	p := newProducer(t, redistest.Shared(t).Client(t), tasks.WithChunk(2))
	lines := "id,first_name,last_name,email\n" +
		"c-1,Ana,Duarte,c-1@example.com\nc-2,Ana,Duarte,\nc-3,Ana,Duarte,c-3@example.com\nc-4,Ana,Duarte,c-4@example.com\n"
	batch := input.Batch{Customer: customer, Target: input.ToJob(7), IdempotencyKey: "k"}
	send := func(most int) (tasks.Receipt, error) {
		b := batch
		b.MaxRows, b.Candidates = most, input.ReadCSV(strings.NewReader(lines))
		return p.Enqueue(t.Context(), b)
	}
	first, err := send(3)
	beyond, tooMany := errors.AsType[*input.TooManyRowsError](err)
	if !tooMany || *beyond != (input.TooManyRowsError{Most: 3, Line: 5}) {
		t.Fatalf("three rows of four: %v", err)
	}
	if first.Accepted != 2 || len(first.Refused) != 1 {
		t.Errorf("earlier rows are missing in the receipt: %+v", first)
	}
	kept, err := p.ledger.Batches.Get(t.Context(), first.Batch)
	if err != nil || kept.Accepted != 2 || kept.Refused != 1 || kept.Closed.IsZero() {
		t.Errorf("the batch is %+v, %v", kept, err)
	}
	if again, err := send(3); !errors.As(err, &beyond) || again.Again != 2 || again.Accepted != 2 {
		t.Errorf("sent again: %+v, %v", again, err)
	}
	if whole, err := send(4); err != nil || whole.Accepted != 3 || whole.Again != 2 {
		t.Errorf("with room for all: %+v, %v", whole, err)
	}
	reviewed := batch
	reviewed.MaxRows, reviewed.Candidates = 3, input.ReadCSV(strings.NewReader(lines))
	if receipt, err := tasks.Review(reviewed, "example.com", func(tasks.Payload) error { return nil }); !errors.As(err, &beyond) || receipt.Accepted != 2 {
		t.Errorf("a review: %+v, %v", receipt, err)
	}
	if live, err := p.ledger.Recovery.Live(t.Context(), customer); err != nil || live != 3 {
		t.Errorf("%d exports move, %v", live, err)
	}
}

func TestTruncatedInputIsReported(t *testing.T) {
	t.Parallel()
	const (
		ana   = `{"id":"c-1","first_name":"Ana","last_name":"Duarte","email":"c-1@example.com"}`
		head  = "id,first_name,last_name,email\nc-1,Ana,Duarte,c-1@example.com\n"
		whole = -1
	)
	json := func(text string) (input.Batch, error) {
		request, err := input.ReadRequest(strings.NewReader(text))
		return input.Batch{Candidates: request.Candidates}, err
	}
	lines := func(text string) (input.Batch, error) {
		return input.Batch{Candidates: input.ReadNDJSON(strings.NewReader(text))}, nil
	}
	csv := func(text string) (input.Batch, error) {
		return input.Batch{Candidates: input.ReadCSV(strings.NewReader(text))}, nil
	}
	for name, c := range map[string]struct {
		read     func(string) (input.Batch, error)
		input    string
		cutLine  int // 0: not cut
		accepted int
		refused  string // the code of the last row's refusal
	}{
		"JSON in a candidate":                            {json, `{"job":7,"candidates":[` + ana + ",\n" + `{"id":"c-2"`, 2, 1, "array_unfinished"},
		"JSON behind a candidate":                        {json, `{"job":7,"candidates":[` + ana + `,`, 1, 1, "array_unfinished"},
		"JSON before its last brace":                     {json, `{"job":7,"candidates":[` + ana + `]`, 1, 1, "array_unfinished"},
		"JSON before its candidates":                     {json, `{"job":7,`, 1, 0, ""},
		"JSON that is whole":                             {json, `{"job":7,"candidates":[` + ana + `]}`, whole, 1, ""},
		"an array in NDJSON":                             {lines, "[" + ana + ",", 1, 1, "array_unfinished"},
		"NDJSON in a line":                               {lines, ana + "\n" + `{"id":"c-2","first_name":"Gr`, 2, 1, "not_json"},
		"NDJSON whose last line has no end":              {lines, "\n" + ana, whole, 1, ""},
		"NDJSON whose last line is wrong":                {lines, ana + "\n" + `{"id":"c-2"}}`, whole, 1, "trailing_data"},
		"NDJSON whose last line is half, and has an end": {lines, ana + "\n" + `{"id":"c-2"` + "\n", whole, 1, "not_json"},
		"CSV in quotes":                                  {csv, head + `c-2,"Gr`, 3, 1, "quote_open"},
		"CSV with a quote that is forgotten":             {csv, head + `c-2,"Grace,Hopper,c-2@example.com` + "\n", whole, 1, "quote_open"},
		"CSV whose last row has no end":                  {csv, strings.TrimSpace(head), whole, 1, ""},
		"CSV in the quotes of its header":                {csv, `id,"first_`, 1, 0, "quote_open"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var receipt tasks.Receipt
			batch, err := c.read(c.input)
			if err == nil {
				batch.Customer = customer
				receipt, err = tasks.Review(batch, "example.com", func(tasks.Payload) error { return nil })
			}
			line := whole
			if cut, ok := errors.AsType[*input.CutError](err); ok {
				line = cut.Line
			} else if err != nil {
				t.Fatal(err)
			}
			code := ""
			if n := len(receipt.Refused); n > 0 {
				code = receipt.Refused[n-1].Problems[0].Code
			}
			if line != c.cutLine || receipt.Accepted != c.accepted || code != c.refused {
				t.Errorf("cut in line %d, %d accepted, %q refused; want %d, %d, %q", line, receipt.Accepted, code, c.cutLine, c.accepted, c.refused)
			}
		})
	}
}

func TestResubmissionCompletesATruncatedInput(t *testing.T) {
	t.Parallel()
	p := newProducer(t, redistest.Shared(t).Client(t))
	const whole = `{"id":"c-1","first_name":"Ana","last_name":"Duarte","email":"c-1@example.com"}` + "\n" + `{"id":"c-2","first_name":"Ana","last_name":"Duarte","email":"c-2@example.com"}`
	send := func(text string) (tasks.Receipt, error) {
		return p.Enqueue(t.Context(), input.Batch{Customer: customer, IdempotencyKey: "k", Candidates: input.ReadNDJSON(strings.NewReader(text))})
	}
	part, err := send(whole[:len(whole)-10])
	if cut, ok := errors.AsType[*input.CutError](err); !ok || cut.Row != 2 || part.Accepted != 1 {
		t.Fatalf("%+v, %v", part, err)
	}
	if rest, err := send(whole); err != nil || rest.Batch != part.Batch || rest.Accepted != 2 || rest.Again != 1 {
		t.Errorf("%+v, %v", rest, err)
	}
	if b, err := p.ledger.Batches.Get(t.Context(), part.Batch); err != nil || b.Accepted != 2 || b.Refused != 0 {
		t.Errorf("%+v, %v", b, err)
	}
	if states, err := p.ledger.Batches.Outcomes(t.Context(), part.Batch, 0, 10); err != nil || len(states) != 2 || states[1].State != store.Queued {
		t.Errorf("%+v, %v", states, err)
	}
}
