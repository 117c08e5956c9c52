package input

import (
	"fmt"
	"strings"
)

// Problem is a problem with one field of one input row. It never contains the value: input is
// personal data, and problems are logged, printed and returned to callers.
type Problem struct {
	// Field is the path of the field in the candidate's JSON, for example "email" or
	// "work_experience[1].end"; empty for the row as a whole.
	Field string `json:"field,omitempty"`
	// Code is stable, for use by programs, for example "email_missing".
	Code string `json:"code"`
	// Message says what is wrong, without repeating the value.
	Message string `json:"message"`
	// Remedy says how to fix it.
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

// RowError refuses one row of the input. The batch continues with the next row.
type RowError struct {
	// Line is the 1-based line of the input (of the first line for a CSV record of several); 0 for
	// candidates built in memory.
	Line int
	// Candidate is the ID, if the row had a usable one.
	Candidate string
	Problems  []Problem
	// Cut means the input ends inside the row, or before the end of the JSON around the rows, so
	// that rows may be missing. It is the last row.
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
