package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/tasks/input"
)

// send submits a batch. Rows that were read are submitted even if the connection breaks, and the
// batch is closed. good is called before each part of the batch: nothing is accepted after the API
// key has become invalid.
func (s *Server) send(ctx context.Context, batch input.Batch, good func(context.Context) error) (Sent, error) {
	lasting := context.WithoutCancel(ctx)
	batch.MayGoOn = func(context.Context) error {
		if ended := accessEnded(ctx); ended != nil {
			return ended
		}
		return good(lasting)
	}
	receipt, err := s.Producer.Enqueue(lasting, batch)
	if receipt.Batch != "" {
		noteOf(ctx).Object = string(receipt.Batch)
	}
	sent := Sent{Receipt: receipt, RefusedRows: receipt.RefusedRows()}
	if nothing, ok := errors.AsType[*input.NothingAcceptedError](err); ok {
		return Sent{}, noRowAccepted(nothing, sent)
	}
	if err != nil {
		return Sent{}, brokenOff(err, sent, batch.IdempotencyKey != "")
	}
	sent.JobTitle, sent.JobWarning = s.jobNotes(ctx, batch)
	b, err := s.Ledger.Batches.Get(ctx, receipt.Batch)
	if err != nil || b.Moving() == 0 {
		return sent, nil //nolint:nilerr // the candidates are submitted
	}
	if p, err := s.Admin.Forecasts.ETA(ctx, b, s.waits()); err == nil {
		sent.Forecast, sent.Waits = &p.Forecast, p.Waits
	}
	return sent, nil
}

// jobNotes returns the title and warning for a batch's job from the cached job list.
func (s *Server) jobNotes(ctx context.Context, b input.Batch) (title, warning string) {
	job := b.Target.Job
	return s.Admin.JobLists.Titles(ctx, b.Customer, job)[job], s.Admin.JobLists.Warning(ctx, b.Customer, job)
}

// problemsTold limits the row problems in a response. The receipt has more.
const problemsTold = 50

// noRowAccepted returns the error of a batch without an accepted row, which was not created.
func noRowAccepted(e *input.NothingAcceptedError, sent Sent) error {
	p := newProblem(CodeNothingAccepted, fmt.Sprintf("Rows refused: %d.", e.Refused))
	for _, row := range sent.Refused {
		for _, found := range row.Problems {
			if len(p.Errors) == problemsTold {
				break
			}
			field := fmt.Sprintf("candidates[%d]", row.Row-1)
			if found.Field != "" {
				field += "." + found.Field
			}
			p.Errors = append(p.Errors, FieldProblem{field, found.Message, found.Remedy})
		}
	}
	p.Receipt = &sent
	return p
}

// brokenOff returns the error of a batch of which part may be accepted. again means that submitting
// it again continues it.
func brokenOff(err error, sent Sent, again bool) error {
	if sent.Accepted+sent.RefusedRows == 0 {
		return err
	}
	p := problemOf(err)
	p.Receipt = &sent
	if p.Code == CodeBatchCancelled {
		p.Detail = fmt.Sprintf("%d of these candidates are in batch %s. No more are accepted.", sent.Accepted, sent.Batch)
		return p
	}
	text := "No candidates were accepted."
	if sent.Accepted > 0 {
		text = fmt.Sprintf("%s accepted into batch %s before the error and will be exported.", counted(sent.Accepted), sent.Batch)
	}
	switch {
	case p.Code == CodeAccessEnded && again:
		text += " Send everything again with the same Idempotency-Key and another API key: only missing rows are added."
	case p.Code == CodeTooManyRows && again:
		text += " Send the other rows as another batch, with another Idempotency-Key."
	case p.Code == CodeTooManyRows:
		text += " Send the other rows as another batch."
	case again:
		text += " Send everything again with the same Idempotency-Key: only missing rows are added."
	case sent.Accepted > 0:
		text += " With an Idempotency-Key, you could send everything again and only missing rows would be added."
	}
	p.Detail = strings.TrimSpace(p.Detail + " " + text)
	return p
}

func counted(candidates int) string {
	if candidates == 1 {
		return "1 candidate was"
	}
	return prose.Plural(candidates, "candidate") + " were"
}

// dryRunProblem returns the error of a dry run.
func dryRunProblem(err error) error {
	p := inputProblem(err)
	if p == nil {
		return err
	}
	p.Detail += " This was a dry run: nothing was submitted."
	return p
}

// inputProblem returns the problem of input that has too many rows or ends too early; nil for other
// errors.
func inputProblem(err error) *Problem {
	if cut, ok := errors.AsType[*input.CutError](err); ok {
		return newProblem(CodeIncomplete, fmt.Sprintf("The input ends in line %d.", cut.Line))
	}
	if beyond, ok := errors.AsType[*input.TooManyRowsError](err); ok {
		text := fmt.Sprintf("A batch may have %d rows. Nothing was read from row %d on", beyond.Most, beyond.Most+1)
		if beyond.Line > 0 {
			text += fmt.Sprintf(" (line %d)", beyond.Line)
		}
		return newProblem(CodeTooManyRows, text+".")
	}
	return nil
}
