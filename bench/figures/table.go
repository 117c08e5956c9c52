package figures

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Goal is a bound for a figure.
type Goal struct {
	bound        float64
	atLeast      bool
	unit, format string
}

// AtLeast returns a lower bound. format is that of the figure, such as %.2f.
func AtLeast(bound float64, unit, format string) Goal { return Goal{bound, true, unit, format} }

// AtMost returns an upper bound.
func AtMost(bound float64, unit, format string) Goal { return Goal{bound, false, unit, format} }

// Met reports whether v satisfies the bound.
func (g Goal) Met(v float64) bool {
	if g.atLeast {
		return v >= g.bound
	}
	return v <= g.bound
}

func (g Goal) String() string {
	word := "at most "
	if g.atLeast {
		word = "at least "
	}
	return word + fmt.Sprintf(g.format, g.bound) + g.unit
}

// Table collects rows in order of measurement. It is not safe for concurrent use.
type Table struct{ rows []row }

type row struct{ name, value, goal, verdict string }

// Judge adds a figure with a goal for its median.
func (t *Table) Judge(name string, s Sample, g Goal) {
	verdict := "not met"
	if g.Met(s.Median()) {
		verdict = "met"
	}
	t.rows = append(t.rows, row{name, s.Text(g.format, g.unit), g.String(), verdict})
}

// Note adds a figure without a goal.
func (t *Table) Note(name string, s Sample, format, unit string) {
	t.Say(name, s.Text(format, unit))
}

// Say adds a row of text.
func (t *Table) Say(name, value string) {
	t.rows = append(t.rows, row{name: name, value: value})
}

// Empty reports whether nothing was measured.
func (t *Table) Empty() bool { return len(t.rows) == 0 }

// Write writes the rows in columns, with the goals.
func (t *Table) Write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tmeasured\tgoal\t")
	for _, r := range t.rows {
		fmt.Fprintln(w, strings.Join([]string{r.name, r.value, cmp.Or(r.goal, "-"), cmp.Or(r.verdict, "-")}, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}
