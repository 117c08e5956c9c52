package tasks

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with one field of one input row. It never
// carries the value itself: input is personal data and problems are logged,
// printed and returned to callers.
type Problem struct {
	// Field is the path of the field in the candidate's JSON, for example
	// "email" or "work_experience[1].end"; empty when the row as a whole is
	// meant.
	Field string `json:"field,omitempty"`
	// Code is stable and meant for programs, for example "email_missing".
	Code string `json:"code"`
	// Message says what is wrong, without repeating the value.
	Message string `json:"message"`
	// Remedy says what to do about it.
	Remedy string `json:"remedy"`
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// RowError refuses one row of the input. The batch goes on with the next row.
type RowError struct {
	// Line is the line of the input, counted from 1 (a CSV record that spans
	// several lines is named by its first); 0 for candidates that were built in
	// memory.
	Line int
	// Candidate is the id, where the row had a usable one.
	Candidate string
	Problems  []Problem
	// Cut: the input ends in the middle of the row, or before the JSON does that holds
	// the rows, so that others may be missing. It is the last row.
	Cut bool
}

func (e *RowError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.String()
	}
	place := "candidate"
	if e.Candidate != "" {
		place += " " + e.Candidate
	}
	if e.Line > 0 {
		place = fmt.Sprintf("line %d", e.Line)
	}
	return place + " refused: " + strings.Join(texts, "; ")
}

// digested is what a row that no reader could make a candidate of is compared by: what is
// wrong with it.
func (e *RowError) digested() []byte {
	w := payloadWriter{}
	w.texts("refused", e.Candidate)
	for _, p := range e.Problems {
		w.texts(p.Field, p.Code)
	}
	return w.data
}
