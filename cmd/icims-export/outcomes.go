package main

import (
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
)

// digest collects what the report says about exports beyond their counts.
type digest struct {
	dead     []admin.Outcome // up to shownDead
	more     int             // further dead exports
	warnings map[mapping.Warning]int
}

// shownDead limits the dead exports that are listed.
const shownDead = 200

func digestOf(exports iter.Seq2[admin.Outcome, error]) (digest, error) {
	d := digest{warnings: map[mapping.Warning]int{}}
	for o, err := range exports {
		if err != nil {
			return d, err
		}
		for _, w := range mapping.ParseWarnings(o.Outcome.Warnings) {
			d.warnings[w]++
		}
		switch {
		case o.State != store.Dead:
		case len(d.dead) < shownDead:
			d.dead = append(d.dead, o)
		default:
			d.more++
		}
	}
	return d, nil
}

// writeDead lists dead exports, with the remedy once per reason.
func (d digest) writeDead(out io.Writer, s style, width int) {
	if len(d.dead) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", s.paint(bold, "Failed:"))
	t := table{out: out, style: s, indent: 2, width: width}
	hints := map[store.Reason]bool{}
	for _, o := range d.dead {
		hints[o.Reason] = true
		_ = t.write(cells(whose(o), o.Title))
	}
	if d.more > 0 {
		fmt.Fprintf(out, "  … and %d more: icims-export status --failed\n", d.more)
	}
	for _, r := range slices.Sorted(maps.Keys(hints)) {
		hang(out, width, "  → ", fmt.Sprintf("%s: %s", r.Info().Title, r.Info().Hint))
	}
}

// writeWarnings lists values that were not sent as given.
func (d digest) writeWarnings(out io.Writer, s style, width int) {
	if len(d.warnings) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", s.paint(bold, "Done with warnings:"))
	for _, w := range slices.Sorted(maps.Keys(d.warnings)) {
		hang(out, width, fmt.Sprintf("  %5d  ", d.warnings[w]), w.Text())
	}
}
