package main

import (
	"fmt"
	"io"

	"github.com/seekout/icims-export/tasks/input"
)

// shownRefusals limits the refused rows printed on a terminal.
const shownRefusals = 20

// writeRefusals prints the problem and remedy of each refused row.
func writeRefusals(out io.Writer, width, most int, refused []input.Refusal) {
	shown := refused
	if most > 0 && len(shown) > most {
		shown = shown[:most]
	}
	for _, r := range shown {
		place := fmt.Sprintf("row %d", r.Row)
		if r.Line > 0 {
			place = fmt.Sprintf("line %d", r.Line)
		}
		head := fmt.Sprintf("  %-8s  ", place)
		if r.Candidate != "" {
			head += r.Candidate + "  "
		}
		for _, p := range r.Problems {
			text := p.Message
			if p.Field != "" {
				text = p.Field + " " + text
			}
			hang(out, width, head, text)
			head = "            "
			if p.Remedy != "" {
				hang(out, width, head+"→ ", p.Remedy)
			}
		}
	}
	if left := len(refused) - len(shown); left > 0 {
		fmt.Fprintf(out, "  … and %d more; --json lists them all\n", left)
	}
}

// writeRowWarnings prints the warnings about accepted rows.
func writeRowWarnings(out io.Writer, width int, warnings []input.RepeatedWarning) {
	for _, w := range warnings {
		place := "in 1 row"
		if w.Rows > 1 {
			place = fmt.Sprintf("in %d rows", w.Rows)
		}
		if w.FirstLine > 0 {
			place += fmt.Sprintf(", first in line %d", w.FirstLine)
		}
		hang(out, width, "  ", fmt.Sprintf("%s (%s)", w.Problem, place))
	}
}
