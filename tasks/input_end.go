package tasks

import "fmt"

// TooManyRowsError: the batch has more rows than a batch may have. The rows before
// were read, and what is good of them is accepted and being exported; nothing of the
// others is. They are to be sent as a batch of their own: sent again under the same
// idempotency key the batch ends at the same row.
type TooManyRowsError struct {
	Most int // rows that were read
	Line int // of the first row that was not, where there are lines
}

func (e *TooManyRowsError) Error() string {
	return fmt.Sprintf("the batch has more than %d rows; send those from row %d on as another batch", e.Most, e.Most+1)
}

// NothingAcceptedError: the input has no good row, so that there is no batch. The receipt beside
// it has the refusals.
type NothingAcceptedError struct{ Refused int }

func (e *NothingAcceptedError) Error() string {
	if e.Refused == 0 {
		return "no candidates were sent; send at least one"
	}
	return fmt.Sprintf("all %d rows were refused, so there is no batch; correct them and send them again", e.Refused)
}

// CutError: the input ends in the middle of a row, or of the JSON that holds the rows.
// The rows before were read; the last one is among the refusals. Sending the whole of
// it under the same idempotency key brings what is missing.
type CutError struct {
	Row  int // that was cut
	Line int // where it begins
}

func (e *CutError) Error() string {
	return fmt.Sprintf("the input ends in the middle, in line %d", e.Line)
}

// seenRows are the rows of one batch by the ids of their exports, to find doubles. It
// is what grows in memory with the rows of a batch, so it holds no pointers.
type seenRows map[[exportIDSize]byte]uint32

// exportIDSize is how long the id of an export is, see store.Keyset.ExportID.
const exportIDSize = 16

func (s seenRows) row(export string) (row uint32, twice bool) {
	row, twice = s[[exportIDSize]byte([]byte(export))]
	return row, twice
}

func (s seenRows) add(export string, row int) { s[[exportIDSize]byte([]byte(export))] = uint32(row) }
