package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/tasks"
)

// send hands a batch over. What has been read is handed over whatever becomes of the
// connection, and the batch closed. good is asked before each part of the batch: nothing
// more is accepted once the API key is not good.
func (s *Server) send(ctx context.Context, batch tasks.Batch, good func(context.Context) error) (Sent, error) {
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
	if nothing, ok := errors.AsType[*tasks.NothingAcceptedError](err); ok {
		return Sent{}, nothingAccepted(nothing, sent)
	}
	if err != nil {
		return Sent{}, brokenOff(err, sent, batch.IdempotencyKey != "")
	}
	sent.JobTitle, sent.JobWarning = s.aboutJob(ctx, batch)
	b, err := s.Ledger.Batch(ctx, receipt.Batch)
	if err != nil || b.Moving() == 0 {
		return sent, nil //nolint:nilerr // the candidates are handed over, which is what was asked for
	}
	if p, err := s.Desk.Prospect(ctx, b, s.waits()); err == nil {
		sent.Forecast, sent.Waits = &p.Forecast, p.Waits
	}
	return sent, nil
}

// aboutJob is what the kept list of jobs tells of a batch's.
func (s *Server) aboutJob(ctx context.Context, b tasks.Batch) (title, warning string) {
	job := b.Target.Job
	return s.Desk.JobTitles(ctx, b.Customer, job)[job], s.Desk.JobWarning(ctx, b.Customer, job)
}

// problemsTold bounds the problems of rows in an answer. The receipt has more.
const problemsTold = 50

// nothingAccepted is the error of a batch without a good row, which was not made.
func nothingAccepted(e *tasks.NothingAcceptedError, sent Sent) error {
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

// brokenOff is the error of a batch of which a part may have been accepted. again: it
// can be sent again and goes on from there.
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

// onlyRehearsed is the error of a dry run.
func onlyRehearsed(err error) error {
	p := inputProblem(err)
	if p == nil {
		return err
	}
	p.Detail += " This was a dry run: nothing was submitted."
	return p
}

// inputProblem is the problem of an input that was not read to its end, though nothing
// kept it from being; nil for other errors.
func inputProblem(err error) *Problem {
	if cut, ok := errors.AsType[*tasks.CutError](err); ok {
		return newProblem(CodeIncomplete, fmt.Sprintf("The input ends in line %d.", cut.Line))
	}
	if beyond, ok := errors.AsType[*tasks.TooManyRowsError](err); ok {
		text := fmt.Sprintf("A batch may have %d rows. Nothing was read from row %d on", beyond.Most, beyond.Most+1)
		if beyond.Line > 0 {
			text += fmt.Sprintf(" (line %d)", beyond.Line)
		}
		return newProblem(CodeTooManyRows, text+".")
	}
	return nil
}
