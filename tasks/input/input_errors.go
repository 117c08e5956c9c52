package input

import "fmt"

// TooManyRowsError means the batch has too many rows. Valid rows before the limit are accepted and
// exported; the rest are not. Submit the rest as another batch: with the same idempotency key, the
// batch ends at the same row.
type TooManyRowsError struct {
	Most int // rows read
	Line int // of the first row not read, if the input has lines
}

func (e *TooManyRowsError) Error() string {
	return fmt.Sprintf("the batch has more than %d rows; send those from row %d on as another batch", e.Most, e.Most+1)
}

// NothingAcceptedError means the input has no valid row, so there is no batch. The receipt lists
// the refusals.
type NothingAcceptedError struct{ Refused int }

func (e *NothingAcceptedError) Error() string {
	if e.Refused == 0 {
		return "no candidates were sent; send at least one"
	}
	return fmt.Sprintf("all %d rows were refused, so no batch was created; correct them and send them again", e.Refused)
}

// CutError means the input ends inside a row, or inside the JSON around the rows. The rows before
// were read; the last one is among the refusals. Submitting the complete input with the same
// idempotency key adds the missing rows.
type CutError struct {
	Row  int // the cut row
	Line int // where that row begins
}

func (e *CutError) Error() string {
	return fmt.Sprintf("the input ends in the middle of line %d", e.Line)
}
