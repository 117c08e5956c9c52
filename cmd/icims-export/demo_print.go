package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/seekout/icims-export/admin"
)

// print prints the demo's results.
func (d *demo) print(ctx context.Context, sum demoSummary, cast demoCast) error {
	out, s := d.p.stdout, style{d.p.colours(d.p.stdout)}
	width, _ := terminal(out)
	first, again := sum.Batches[0], sum.Batches[1]
	writeCounts(out, s, width, first, again)

	fmt.Fprintln(out)
	hang(out, width, "", fmt.Sprintf("The simulated iCIMS now has %d people, and %d workflows on job %d.", sum.People, sum.Workflows, demoJob))
	for _, v := range sum.Violations {
		fmt.Fprintln(out, s.paint(red, "  violated: "+v))
	}
	if err := d.printExamples(ctx, out, s, width, first, cast); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\n", s.paint(bold, "Refused rows (not sent):"))
	writeRefusals(out, width, 0, first.refusals)

	fmt.Fprintln(out)
	hang(out, width, "", "The same batch again: every candidate was skipped without a call, and the bad rows were refused again.")
	fmt.Fprintln(out)
	hang(out, width, "", "Next: \"icims-export sim\" runs this iCIMS alone. \"icims-export export --help\" explains how to send your own file.")
	if len(sum.Violations) > 0 {
		return failed("the simulator found violations; report them with the seed")
	}
	return nil
}

// writeCounts prints the counts of both batches as a table.
func writeCounts(out io.Writer, s style, width int, first, again demoBatch) {
	t := table{out: out, style: s, width: width, right: map[int]bool{1: true, 2: true}}
	count := func(n int, c colour) cell {
		if n == 0 {
			c = dim
		}
		return cell{strconv.Itoa(n), c}
	}
	row := func(name string, a, b int, c colour, note string) []cell {
		return []cell{{name, plain}, count(a, c), count(b, c), {note, dim}}
	}
	perCandidate := func(b demoBatch) cell {
		return cell{fmt.Sprintf("%.2f", float64(b.Calls)/float64(max(b.Accepted, 1))), cyan}
	}
	_ = t.write(
		header("", "first", "again", ""),
		row("accepted", first.Accepted, again.Accepted, bold, ""),
		row("  created", first.Created, again.Created, green, "new profile and workflow"),
		row("  updated", first.Updated, again.Updated, green, "profile with the same email existed"),
		row("  skipped", first.Skipped, again.Skipped, green, "exported before"),
		row("  dead", first.Dead, again.Dead, red, "failed; retry or discard"),
		row("refused", first.Refused, again.Refused, red, "see below"),
		[]cell{{"calls to iCIMS", plain}, count(first.Calls, cyan), count(again.Calls, cyan), {"iCIMS grants about 10,000 a day", dim}},
		[]cell{{"  per candidate", plain}, perCandidate(first), perCandidate(again), {"emails are looked up 50 at a time", dim}},
		[]cell{{"seconds", plain}, {fmt.Sprintf("%.1f", first.Seconds), dim}, {fmt.Sprintf("%.1f", again.Seconds), dim}, {}},
	)
}

// shownExamples limits the exports of each kind that are shown.
const shownExamples = 2

// printExamples prints some exports of each kind.
func (d *demo) printExamples(ctx context.Context, out io.Writer, s style, width int, b demoBatch, cast demoCast) error {
	names := map[string]string{}
	for _, c := range cast.rows {
		names[d.ledger.Keys().ExportID(string(b.Batch), c.ID)] = c.ID + "  " + c.FirstName + " " + c.LastName
	}
	shown := map[string]int{}
	var rows [][]cell
	for o, err := range admin.Outcomes(ctx, d.ledger, b.Batch, d.links) {
		if err != nil {
			return demoFailed(ctx, err)
		}
		how := endOf(o)
		if shown[how.text]++; shown[how.text] > shownExamples {
			continue
		}
		rows = append(rows, []cell{{names[o.Export], plain}, how, {id(o.Person), plain}, {id(o.Workflow), plain}, {noteOf(o), dim}})
	}
	fmt.Fprintf(out, "\n%s\n", s.paint(bold, "Examples:"))
	t := table{out: out, style: s, indent: 2, width: width}
	_ = t.write(append([][]cell{header("candidate", "outcome", "person", "workflow", "")}, rows...)...)
	return nil
}
