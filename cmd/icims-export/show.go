package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seekout/icims-export/store"
)

type showCommand struct {
	Customer  string `arg:"" help:"iCIMS's customer id."`
	Candidate string `arg:"" help:"The candidate's id, as handed over."`
	Words     bool   `help:"Also iCIMS's own words, which may repeat what was sent."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

// shownExport is one export of the candidate.
type shownExport struct {
	Batch   store.Batch `json:"batch"`
	Outcome outcome     `json:"outcome"`
	Told    []string    `json:"told"` // the story in sentences, the oldest first
	Stands  []string    `json:"stands"`
}

// shownMarker is what is remembered of the candidate for good.
type shownMarker struct {
	Person     int64           `json:"person"`
	ExportedAt time.Time       `json:"exported_at"`
	Workflows  map[int64]int64 `json:"workflows"` // by job
	Link       string          `json:"link,omitempty"`
}

// shownCandidate is all that is known.
type shownCandidate struct {
	Customer  string        `json:"customer"`
	Candidate string        `json:"candidate"`
	Marker    *shownMarker  `json:"marker,omitempty"`
	Exports   []shownExport `json:"exports"`
}

// Run tells the story of a candidate's exports.
func (c *showCommand) Run(ctx context.Context, p *process) error {
	if !store.ValidCustomer(c.Customer) {
		return misused("%q is no customer id of iCIMS: digits only, before the candidate", c.Customer)
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	shown, err := c.read(ctx, o)
	if err != nil {
		return err
	}
	if shown.Marker == nil && len(shown.Exports) == 0 {
		return failed("nothing is known of candidate %s of customer %s: no export of the kind is kept, and none has put the candidate into iCIMS; ids are as handed over, capitals included", c.Candidate, c.Customer)
	}
	if c.JSON {
		return writeJSON(p.stdout, shown)
	}
	shown.print(p)
	return nil
}

func (c *showCommand) read(ctx context.Context, o *operator) (shownCandidate, error) {
	l := o.p.links(ctx, o.ledger, c.Customer)
	shown := shownCandidate{Customer: c.Customer, Candidate: c.Candidate, Exports: []shownExport{}}
	markers, err := o.ledger.Markers(ctx, c.Customer, []string{c.Candidate})
	if err != nil {
		return shown, o.lost(err)
	}
	if m, ok := markers[c.Candidate]; ok {
		shown.Marker = &shownMarker{m.Person, m.ExportedAt.UTC(), m.Workflows, l.person(m.Person)}
	}
	exports, err := o.ledger.ExportsOf(ctx, c.Customer, c.Candidate)
	if err != nil {
		return shown, o.lost(err)
	}
	for _, e := range exports {
		story, err := o.ledger.Story(ctx, store.Ref{Customer: c.Customer, Export: e.Export})
		if err != nil {
			return shown, o.lost(err)
		}
		x := shownExport{Batch: e.Batch, Outcome: explain(e.Outcome, 0, l), Told: []string{}}
		for _, entry := range story {
			x.Told = append(x.Told, storyteller{c.Words}.tell(entry))
		}
		x.Stands = standing(x.Outcome, e.Batch.Job, l)
		shown.Exports = append(shown.Exports, x)
	}
	return shown, nil
}

func (shown shownCandidate) print(p *process) {
	out, s := p.stdout, style{p.colours(p.stdout)}
	width, _ := terminal(out)
	fmt.Fprintf(out, "Candidate %s of customer %s\n", s.paint(bold, shown.Candidate), shown.Customer)
	shown.Marker.print(out, width)
	for i, x := range shown.Exports {
		target := "to the prospects"
		if x.Batch.Job != 0 {
			target = fmt.Sprintf("to job %d", x.Batch.Job)
		}
		fmt.Fprintln(out)
		fmt.Fprintf(out, "%s %s\n", s.paint(bold, fmt.Sprintf("Export %d of %d, %s", i+1, len(shown.Exports), target)), s.paint(dim, "("+shown.Customer+":"+x.Outcome.Export+")"))
		paragraph(out, width, fmt.Sprintf("Handed over %s in batch %s.%s", when(x.Batch.Opened), x.Batch.ID, optionsOf(x.Batch)))
		for _, told := range x.Told {
			paragraph(out, width, told)
		}
		for j, text := range x.Stands {
			switch {
			case text == "":
			case j == 0:
				paragraph(out, width, text)
			default:
				hang(out, width, "    → ", text)
			}
		}
		for _, w := range x.Outcome.Warnings {
			paragraph(out, width, "Remark: "+w)
		}
		if x.Outcome.State == store.Dead {
			fmt.Fprintf(out, "    icims-export dead retry %s:%s --why \"...\"\n", shown.Customer, x.Outcome.Export)
		}
	}
}

func optionsOf(b store.Batch) string {
	text := ""
	if b.IncludePreviouslyExported {
		text += " It includes candidates that were exported before."
	}
	if b.GenerateDummyEmails {
		text += " Those without an e-mail address get a made-up one."
	}
	return text
}

func (m *shownMarker) print(out io.Writer, width int) {
	if m == nil {
		hang(out, width, "", "No export of the candidate has been completed so far.")
		return
	}
	text := fmt.Sprintf("In iCIMS as person %d, last exported %s", m.Person, when(m.ExportedAt))
	places := make([]string, 0, len(m.Workflows))
	for _, job := range slices.Sorted(maps.Keys(m.Workflows)) {
		places = append(places, fmt.Sprintf("workflow %d on job %d", m.Workflows[job], job))
	}
	if len(places) > 0 {
		text += ", with " + strings.Join(places, " and ")
	}
	hang(out, width, "", text+".")
	if m.Link != "" {
		fmt.Fprintln(out, m.Link)
	}
}
