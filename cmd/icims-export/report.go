package main

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// report is the result of export.
type report struct {
	p       *process
	json    bool
	receipt tasks.Receipt
	result  *store.Batch   // nil without waiting
	ahead   *batchForecast // nil after waiting, or if unknown
	took    time.Duration
	follow  string // the command that shows more
	// jobWarning warns about a job that may be wrong.
	jobWarning string
	// unreadRows describes the rows that were not read; "" if all were.
	unreadRows string
}

func (c *exportCommand) newReport(p *process) *report { return &report{p: p, json: c.JSON} }

// ignoreEndErrors ignores errors after which the rows read so far are exported: too many rows, and
// input that ends in the middle of a row. The report mentions the rest.
func (r *report) ignoreEndErrors(err error) error {
	if beyond, ok := errors.AsType[*input.TooManyRowsError](err); ok {
		r.unreadRows = leftRows(beyond)
		r.p.sayf("! %s", r.unreadRows)
		return nil
	}
	if _, ok := errors.AsType[*input.CutError](err); ok {
		return nil // its row is among the refused ones
	}
	return err
}

func leftRows(beyond *input.TooManyRowsError) string {
	from := fmt.Sprintf("row %d", beyond.Most+1)
	if beyond.Line > 0 {
		from = fmt.Sprintf("line %d", beyond.Line)
	}
	return fmt.Sprintf("The input exceeds %s per batch (ICIMS_EXPORT_MAX_BATCH_ROWS). Nothing was read from %s on: send the rest as another batch.",
		prose.Plural(beyond.Most, "row"), from)
}

// write prints the report and returns the error for the exit status. exports are the batch's
// exports; nil without waiting.
func (r *report) write(exports iter.Seq2[admin.Outcome, error]) error {
	var d digest
	if exports != nil {
		var err error
		if d, err = digestOf(exports); err != nil {
			return failed("the results cannot be read. %s See: icims-export status %s", causeOf(err), r.receipt.Batch)
		}
	}
	if r.json {
		if err := writeJSON(r.p.stdout, exportResult{r.receipt, r.result, r.ahead.json(), r.ahead.warningTexts(), d.dead, r.jobWarning, r.unreadRows}); err != nil {
			return err
		}
	} else {
		r.print(d)
	}
	if r.unreadRows != "" || len(r.receipt.Refused) > 0 || r.result != nil && r.result.Dead > 0 {
		return partial
	}
	return nil
}

// writeRefused prints the report of an input without an accepted row.
func (r *report) writeRefused() error {
	if r.json {
		if err := writeJSON(r.p.stdout, exportResult{Receipt: r.receipt}); err != nil {
			return err
		}
		return partial
	}
	width, onTerminal := terminal(r.p.stdout)
	most := 0
	if onTerminal {
		most = shownRefusals
	}
	fmt.Fprintf(r.p.stdout, "Every row was refused, so there is no batch:\n")
	writeRefusals(r.p.stdout, width, most, r.receipt.Refused)
	r.p.sayf("Correct the rows and export them again.")
	return partial
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
		row("  updated", b.Updated, green, "existed in iCIMS with the same email")
		row("  skipped", b.Skipped, plain, "exported before")
		row("  dead", b.Dead, red, "")
		if b.Cancelled > 0 {
			row("  canceled", b.Cancelled, plain, "")
		}
	}
	row("refused", len(r.receipt.Refused), red, "not sent")
	if r.result != nil {
		if text := r.result.ProfilesWithoutWorkflow(); text != "" {
			fmt.Fprintf(out, "\n%s\n", s.paint(yellow, text))
		}
	}
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
		note = fmt.Sprintf("%d of them by an earlier submission", r.Again)
	}
	if r.Dummies > 0 {
		if note != "" {
			note += "; "
		}
		note += fmt.Sprintf("%d with a dummy email address", r.Dummies)
	}
	return note
}
