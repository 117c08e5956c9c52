package store

import (
	"errors"
	"fmt"
	"strings"
)

// Rows are rows of a batch's input, refused ones included, for a comparison with those that
// an earlier sending with the same idempotency key brought.
type Rows struct {
	// Before is how many rows came before them.
	Before int
	// Digests has a Keyset.RowDigest for each row.
	Digests []byte
}

// Difference is in what a sending differs from an earlier one with the same idempotency key.
type Difference string

// The differences.
const (
	DiffersInJob     Difference = "job"
	DiffersInOptions Difference = "options"
	DiffersInRow     Difference = "row"   // the content of one row
	HasMoreRows      Difference = "more"  // than the complete batch
	HasFewerRows     Difference = "fewer" // than are in the batch
)

// BatchConflictError refuses a sending whose idempotency key belongs to a batch with another
// target, other options or other rows. Nothing of it is accepted.
type BatchConflictError struct {
	Batch   BatchID
	Differs Difference
	// Row is the first row that differs, from 1, for DiffersInRow.
	Row int
	// Rows is how many rows the batch has, for HasMoreRows and HasFewerRows.
	Rows int
	// Job is that of the batch, 0 for prospects.
	Job int64
	// Options are those that differ, for DiffersInOptions.
	Options []string
}

// ErrBatchConflict is what every BatchConflictError is, by errors.Is.
var ErrBatchConflict = errors.New("the idempotency key belongs to a batch with another target, options or rows")

// Is makes it an ErrBatchConflict.
func (e *BatchConflictError) Is(target error) bool { return target == ErrBatchConflict }

// What says what differs, as a sentence without its full stop.
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

// specConflict is the conflict of a spec with the target and options of its batch.
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

// ErrRowsLost: Redis has lost rows that this sending had brought.
var ErrRowsLost = errors.New("Redis lost rows of the batch while it was sent") //nolint:staticcheck // a name

// differs is the error that scripts answer for rows that are not those of an earlier
// sending; nil for other answers.
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
