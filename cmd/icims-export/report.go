package main

import (
	"fmt"
	"iter"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// report is what export has to tell at its end.
type report struct {
	p       *process
	json    bool
	receipt tasks.Receipt
	result  *store.Batch // nil where it was not waited for
	ahead   *prospect    // nil where it was, or nobody can tell
	took    time.Duration
	follow  string // the command that tells more
	// jobWarning is a sentence about the job, which may be the wrong one.
	jobWarning string
}

func (c *exportCommand) newReport(p *process) *report { return &report{p: p, json: c.JSON} }

// write prints the report and returns what the exit status is made of. exports
// are those of the batch, nil where it was not waited for.
func (r *report) write(exports iter.Seq2[operate.Outcome, error]) error {
	var d digest
	if exports != nil {
		var err error
		if d, err = digestOf(exports); err != nil {
			return failed("the results cannot be read (%s): see icims-export status %s", rootCause(err), r.receipt.Batch)
		}
	}
	if r.json {
		if err := writeJSON(r.p.stdout, exportResult{r.receipt, r.result, r.ahead.json(), r.ahead.heed(), d.dead, r.jobWarning}); err != nil {
			return err
		}
	} else {
		r.print(d)
	}
	if len(r.receipt.Refused) > 0 || r.result != nil && r.result.Dead > 0 {
		return partial
	}
	return nil
}

func (r *report) print(d digest) {
	out, s := r.p.stdout, style{r.p.colours(r.p.stdout)}
	width, onTerminal := terminal(r.p.stdout)
	most := 0
	if onTerminal {
		most = shownRefusals
	}
	fmt.Fprintf(out, "Batch %s\n\n", s.paint(bold, string(r.receipt.Batch)))
	t := table{out: out, style: s, indent: 2, right: map[int]bool{1: true}, width: width}
	row := func(name string, n int, c colour, note string) {
		if n == 0 {
			c, note = dim, ""
		}
		_ = t.write([]cell{{name, plain}, {fmt.Sprint(n), c}, {note, dim}})
	}
	row("accepted", r.receipt.Accepted, bold, notesOf(r.receipt))
	if b := r.result; b != nil {
		row("  created", b.Created, green, "")
		row("  updated", b.Updated, green, "were in iCIMS under the same e-mail")
		row("  skipped", b.Skipped, plain, "exported before")
		row("  dead", b.Dead, red, "")
		if b.Cancelled > 0 {
			row("  cancelled", b.Cancelled, plain, "")
		}
	}
	row("refused", len(r.receipt.Refused), red, "not sent")
	if len(r.receipt.Refused) > 0 {
		fmt.Fprintf(out, "\n%s\n", s.paint(bold, "Refused:"))
		writeRefusals(out, width, most, r.receipt.Refused)
	}
	if len(r.receipt.Warnings) > 0 {
		fmt.Fprintf(out, "\n%s\n", s.paint(bold, "Accepted, but:"))
		writeRowWarnings(out, width, r.receipt.Warnings)
	}
	d.writeDead(out, s, width)
	d.writeWarnings(out, s, width)
	switch {
	case r.result != nil:
		fmt.Fprintf(out, "\nExport complete after %s.\n", prose.Span(r.took))
	case r.ahead != nil:
		fmt.Fprintln(out)
		hang(out, width, "", r.ahead.text())
	}
	if r.follow != "" {
		r.p.sayf("More: %s", r.follow)
	}
}

func notesOf(r tasks.Receipt) string {
	note := ""
	if r.Again > 0 {
		note = fmt.Sprintf("%d of them by an earlier sending", r.Again)
	}
	if r.Dummies > 0 {
		if note != "" {
			note += "; "
		}
		note += fmt.Sprintf("%d with a made-up e-mail address", r.Dummies)
	}
	return note
}
