package store

import (
	"errors"
	"fmt"
	"strings"
)

// Rows are rows of a batch's input, including refused ones, to compare with those of an earlier
// submission with the same idempotency key.
type Rows struct {
	// Before is the number of rows before them.
	Before int
	// Digests holds a Keyset.RowDigest for each row.
	Digests []byte
}

// Difference is how a submission differs from an earlier one with the same idempotency key.
type Difference string

// The differences.
const (
	DiffersInJob     Difference = "job"
	DiffersInOptions Difference = "options"
	DiffersInRow     Difference = "row"   // the content of one row
	HasMoreRows      Difference = "more"  // than the complete batch
	HasFewerRows     Difference = "fewer" // than are in the batch
)

// BatchConflictError means the idempotency key belongs to a batch with another target, other
// options or other rows. Nothing was accepted.
type BatchConflictError struct {
	Batch   BatchID
	Differs Difference
	// Row is the first row that differs, from 1, for DiffersInRow.
	Row int
	// Rows is the batch's number of rows, for HasMoreRows and HasFewerRows.
	Rows int
	// Job of the batch, 0 for prospects.
	Job int64
	// Options that differ, for DiffersInOptions.
	Options []string
}

// ErrBatchConflict matches every BatchConflictError with errors.Is.
var ErrBatchConflict = errors.New("the idempotency key belongs to a batch with another target, options or rows")

// Is reports whether target is ErrBatchConflict.
func (e *BatchConflictError) Is(target error) bool { return target == ErrBatchConflict }

// What describes the difference, as a sentence without a period.
func (e *BatchConflictError) What() string {
	switch e.Differs {
	case DiffersInJob:
		return fmt.Sprintf("batch %s goes to %s", e.Batch, placeName(e.Job))
	case DiffersInOptions:
		return fmt.Sprintf("batch %s has another %s", e.Batch, strings.Join(e.Options, " and another "))
	case DiffersInRow:
		return fmt.Sprintf("row %d differs from that of batch %s", e.Row, e.Batch)
	case HasMoreRows:
		return fmt.Sprintf("batch %s is complete with %s, and more were sent", e.Batch, rowCount(e.Rows))
	default:
		return fmt.Sprintf("batch %s has %s, and fewer were sent", e.Batch, rowCount(e.Rows))
	}
}

func rowCount(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

func (e *BatchConflictError) Error() string {
	return "the idempotency key was used before: " + e.What() + "; send the same batch again, or use another key"
}

// specConflict compares a spec with the target and options of its batch.
func specConflict(id BatchID, s BatchSpec, target, options string) *BatchConflictError {
	e := &BatchConflictError{Batch: id, Differs: DiffersInJob, Job: JobOf(target)}
	if target == s.target() {
		e.Differs = DiffersInOptions
		for _, o := range []struct {
			name, letter string
			on           bool
		}{{"generate_dummy_emails", optionDummies, s.GenerateDummyEmails}, {"include_previously_exported", optionInclude, s.IncludePreviouslyExported}} {
			if strings.Contains(options, o.letter) != o.on {
				e.Options = append(e.Options, o.name)
			}
		}
	}
	return e
}

// ErrRowsLost means Redis lost rows that this submission had already sent.
var ErrRowsLost = errors.New("Redis lost rows of the batch while it was sent") //nolint:staticcheck // a name

// differs converts a script's reply about differing rows to an error; nil for other replies.
func differs(batch BatchID, answer []any) error {
	if len(answer) == 0 {
		return nil
	}
	switch text(answer[0]) {
	case "lost":
		return ErrRowsLost
	case "conflict":
		e := &BatchConflictError{Batch: batch, Differs: Difference(text(answer[1]))}
		if n := int(number(text(answer[2]))); e.Differs == DiffersInRow {
			e.Row = n
		} else {
			e.Rows = n
		}
		return e
	}
	return nil
}
