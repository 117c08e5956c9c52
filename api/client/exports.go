package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/tasks"
)

// Sent is what became of candidates that were handed over.
type Sent struct {
	tasks.Receipt

	// RefusedRows counts all refused rows; the list in the receipt may be shorter.
	RefusedRows int `json:"refused_rows"`
	// Forecast is when the batch will be done; nil where nothing of it moves.
	Forecast *forecast.Forecast `json:"forecast"`
	// Waits are sentences about what keeps the customer's exports.
	Waits []string `json:"waits"`
	// JobTitle is the job's, where the kept list of jobs has it.
	JobTitle string `json:"job_title"`
	// JobWarning is a sentence about a job that is not on the customer's job portals, so
	// that it may be the wrong one; "" where there is nothing to say.
	JobWarning string `json:"job_warning"`
}

// Enqueue hands a batch over, as tasks.Client does: candidates are read once, one by
// one, and sent as they come once they are more than 256 KiB. What the iterator refuses
// is not sent, and in the receipt.
//
// Errors: *tasks.NothingAcceptedError where no row is good, with the refusals in the receipt;
// *Problem where the API refuses the batch; store.ErrBatchConflict is one, by
// errors.Is. One of code too_many_rows comes with a receipt of the rows that were
// accepted; the others are to be sent as another batch. An error of the iterator, and an
// input that ends in the middle (*tasks.CutError), end the reading: what was read before
// is handed over, and the receipt tells of it. Where the connection breaks, candidates may have
// been handed over of which there is no receipt: sent again with the same idempotency
// key, only what is missing is added. An iterator that pauses for longer than the API's
// stall time-out (30 s) breaks it. Batch.Told and Batch.MaxRows have no effect: the API
// has bounds of its own.
func (c *Client) Enqueue(ctx context.Context, b tasks.Batch) (Sent, error) {
	if b.Candidates == nil {
		return Sent{}, &tasks.BatchError{Field: "candidates", Message: "are missing", Remedy: "give at least an empty sequence"}
	}
	query := url.Values{}
	if b.Target.Job != 0 {
		query.Set("job", strconv.FormatInt(b.Target.Job, 10))
	} else {
		query.Set("prospects", "true")
	}
	if b.Options.GenerateDummyEmails {
		query.Set("generate_dummy_emails", "true")
	}
	if b.Options.IncludePreviouslyExported {
		query.Set("include_previously_exported", "true")
	}
	body, pipe := io.Pipe()
	sender := &sender{rows: b.Candidates}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		sender.send(pipe)
	}()
	defer func() {
		_ = body.Close() // the sender stops, whatever was read of it
		<-sent
	}()
	r, err := c.request(ctx, http.MethodPost, customerPath(b.Customer)+"/exports", query, measured(body))
	if err != nil {
		return Sent{}, err
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	r.Header.Set("Expect", "100-continue") // a refusal comes before the candidates are sent
	if b.IdempotencyKey != "" {
		r.Header.Set("Idempotency-Key", b.IdempotencyKey)
	}
	var receipt Sent
	err = c.do(r, &receipt)
	_ = body.Close() // the sender stops, whatever was read of it
	<-sent
	if err != nil {
		problem, ok := errors.AsType[*Problem](err)
		sender.cut = sender.cut && ok && problem.Code == "body_incomplete" && problem.Receipt != nil
		if sender.cut {
			receipt = *problem.Receipt
			sender.complete(&receipt)
			if receipt.Accepted == 0 {
				return receipt, errors.Join(&tasks.NothingAcceptedError{Refused: receipt.RefusedRows}, sender.inputErr)
			}
			return receipt, sender.inputErr
		}
		if ok && problem.Receipt != nil {
			receipt = *problem.Receipt
		}
		// The iterator may have refused all rows, so that none were sent.
		unsent := ok && sender.sent == 0 && problem.Code == "batch_invalid"
		if unsent && len(sender.refused) > 0 || ok && problem.Code == "nothing_accepted" {
			sender.complete(&receipt)
			err = &tasks.NothingAcceptedError{Refused: receipt.RefusedRows}
		} else if receipt.Accepted+receipt.RefusedRows > 0 {
			sender.complete(&receipt)
		}
		return receipt, errors.Join(err, sender.inputErr)
	}
	sender.complete(&receipt)
	return receipt, sender.inputErr
}

// measured is the body of a small batch as a whole, so that its length is known: bodies
// of unknown length are uploads to the API, of which a key may have few at once. A larger
// one goes as it comes.
func measured(body io.Reader) io.Reader {
	const small = 256 << 10
	begin := make([]byte, small)
	n, err := io.ReadFull(body, begin)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return bytes.NewReader(begin[:n])
	}
	return io.MultiReader(bytes.NewReader(begin[:n]), body)
}

// sender sends the candidates of one batch, a line each.
type sender struct {
	rows func(func(tasks.Candidate, error) bool)

	row      int // of the input, from 1
	sent     int
	refused  []tasks.Refusal // by the iterator
	inputErr error
	cut      bool // the API was told so, by cutRow
}

// cutRow ends the body of an input that broke off, in the middle of a row. It tells the API
// that rows are missing, so that the whole can be sent with the same idempotency key.
const cutRow = "{"

func (s *sender) send(to *io.PipeWriter) {
	const buffer = 64 << 10
	w := bufio.NewWriterSize(to, buffer)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	var err error
	for candidate, rowErr := range s.rows {
		s.row++
		if refused, ok := errors.AsType[*tasks.RowError](rowErr); ok {
			s.refused = append(s.refused, tasks.Refusal{Row: s.row, Line: refused.Line, Candidate: refused.Candidate, Problems: refused.Problems})
			if refused.Cut {
				s.inputErr = &tasks.CutError{Row: s.row, Line: refused.Line}
				break
			}
			continue
		}
		if rowErr != nil {
			s.inputErr = fmt.Errorf("read candidates: %w", rowErr)
			break
		}
		s.sent++
		if err = enc.Encode(candidate); err != nil {
			break
		}
	}
	if err == nil && s.inputErr != nil && s.sent > 0 {
		s.cut = true
		_, err = w.WriteString(cutRow)
	}
	if err == nil {
		err = w.Flush()
	}
	_ = to.CloseWithError(err) // nil ends the body in order
}

// complete puts the iterator's refusals into the receipt, and counts its rows: the
// API has numbered those alone that were sent.
func (s *sender) complete(receipt *Sent) {
	if s.cut {
		s.dropCutRow(receipt)
	}
	passed := 0
	for i := range receipt.Refused {
		r := &receipt.Refused[i]
		r.Line = 0 // of what was sent, which nobody has seen
		for passed < len(s.refused) && s.refused[passed].Row <= r.Row+passed {
			passed++
		}
		r.Row += passed
	}
	for i := range receipt.Warnings {
		receipt.Warnings[i].FirstLine = 0
	}
	receipt.Refused = append(receipt.Refused, s.refused...)
	slices.SortFunc(receipt.Refused, func(x, y tasks.Refusal) int { return x.Row - y.Row })
	receipt.RefusedRows += len(s.refused)
}

// dropCutRow takes the row out of the receipt that ended the body.
func (s *sender) dropCutRow(receipt *Sent) {
	last := len(receipt.Refused) - 1
	switch {
	case last >= 0 && receipt.Refused[last].Row == s.sent+1:
		receipt.Refused = receipt.Refused[:last]
	case receipt.MoreRefused > 0:
		receipt.MoreRefused--
	default: // it was not read
		return
	}
	receipt.RefusedRows--
}

func customerPath(customer string) string { return "/customers/" + url.PathEscape(customer) }
