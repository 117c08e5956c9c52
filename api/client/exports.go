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

	"github.com/seekout/icims-export/tasks/input"
)

// Enqueue submits a batch, as tasks.Client does. It reads candidates one by one, and starts to send
// them once they exceed 256 KiB. Rows that the iterator refuses are not sent, but are in the
// receipt.
//
// If no row is accepted, the error is a *input.NothingAcceptedError, and the receipt has the
// refusals. If the API refuses the batch, the error is a *Problem; a reused idempotency key matches
// ErrBatchConflict. The code too_many_rows comes with a receipt of the accepted rows; submit
// the others as another batch.
//
// After an error of the iterator, or input that ends in the middle of a row (*input.CutError), the
// rows read so far are submitted and in the receipt. If the connection breaks, candidates may have
// been submitted without a receipt: submit the batch again with the same idempotency key, which
// adds only the missing ones. An iterator that pauses for longer than the API's stall timeout (30
// s) breaks the connection. Batch.ListAtMost and Batch.MaxRows have no effect; the API's own limits
// apply.
func (c *Client) Enqueue(ctx context.Context, b input.Batch) (Receipt, error) {
	if b.Candidates == nil {
		return Receipt{}, &input.BatchError{Field: "candidates", Message: "are missing", Remedy: "pass at least an empty sequence"}
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
		_ = body.Close() // stops the sender
		<-sent
	}()
	r, err := c.request(ctx, http.MethodPost, customerPath(b.Customer)+"/exports", query, withKnownLength(body))
	if err != nil {
		return Receipt{}, err
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	r.Header.Set("Expect", "100-continue") // a refusal arrives before the candidates are sent
	if b.IdempotencyKey != "" {
		r.Header.Set("Idempotency-Key", b.IdempotencyKey)
	}
	var receipt Receipt
	err = c.do(r, &receipt)
	_ = body.Close() // stops the sender
	<-sent
	if err != nil {
		problem, ok := errors.AsType[*Problem](err)
		sender.cut = sender.cut && ok && problem.Code == "body_incomplete" && problem.Receipt != nil
		if sender.cut {
			receipt = *problem.Receipt
			sender.complete(&receipt)
			if receipt.Accepted == 0 {
				return receipt, errors.Join(&input.NothingAcceptedError{Refused: receipt.RefusedRows}, sender.inputErr)
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
			err = &input.NothingAcceptedError{Refused: receipt.RefusedRows}
		} else if receipt.Accepted+receipt.RefusedRows > 0 {
			sender.complete(&receipt)
		}
		return receipt, errors.Join(err, sender.inputErr)
	}
	sender.complete(&receipt)
	return receipt, sender.inputErr
}

// withKnownLength buffers the body of a small batch, so that its length is known: to the API, a
// body of unknown length is an upload, of which a key can have few at a time. A larger body is
// streamed.
func withKnownLength(body io.Reader) io.Reader {
	const small = 256 << 10
	begin := make([]byte, small)
	n, err := io.ReadFull(body, begin)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return bytes.NewReader(begin[:n])
	}
	return io.MultiReader(bytes.NewReader(begin[:n]), body)
}

// sender sends the candidates of a batch, one per line.
type sender struct {
	rows func(func(input.Candidate, error) bool)

	row      int // of the input, from 1
	sent     int
	refused  []input.Refusal // by the iterator
	inputErr error
	cut      bool // incompleteRow was sent
}

// incompleteRow is an incomplete row that ends the body of interrupted input. It tells the API that
// rows are missing, so that all of them can be submitted again with the same idempotency key.
const incompleteRow = "{"

func (s *sender) send(to *io.PipeWriter) {
	const buffer = 64 << 10
	w := bufio.NewWriterSize(to, buffer)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	var err error
	for candidate, rowErr := range s.rows {
		s.row++
		if refused, ok := errors.AsType[*input.RowError](rowErr); ok {
			s.refused = append(s.refused, input.Refusal{Row: s.row, Line: refused.Line, Candidate: refused.Candidate, Problems: refused.Problems})
			if refused.Cut {
				s.inputErr = &input.CutError{Row: s.row, Line: refused.Line}
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
		_, err = w.WriteString(incompleteRow)
	}
	if err == nil {
		err = w.Flush()
	}
	_ = to.CloseWithError(err) // nil ends the body normally
}

// complete adds the iterator's refusals to the receipt, and renumbers its rows: the API only
// numbers rows that were sent.
func (s *sender) complete(receipt *Receipt) {
	if s.cut {
		s.dropIncompleteRow(receipt)
	}
	passed := 0
	for i := range receipt.Refused {
		r := &receipt.Refused[i]
		r.Line = 0 // a line of the body, which the caller does not see
		for passed < len(s.refused) && s.refused[passed].Row <= r.Row+passed {
			passed++
		}
		r.Row += passed
	}
	for i := range receipt.Warnings {
		receipt.Warnings[i].FirstLine = 0
	}
	receipt.Refused = append(receipt.Refused, s.refused...)
	slices.SortFunc(receipt.Refused, func(x, y input.Refusal) int { return x.Row - y.Row })
	receipt.RefusedRows += len(s.refused)
}

// dropIncompleteRow removes incompleteRow from the receipt.
func (s *sender) dropIncompleteRow(receipt *Receipt) {
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
