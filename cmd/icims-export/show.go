package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

type showCommand struct {
	Customer  string `arg:"" help:"iCIMS's customer id."`
	Candidate string `arg:"" help:"The candidate's id, as submitted."`
	Words     bool   `help:"Include iCIMS's messages, which may repeat sent data. The audit log records the access."`
	Who       string `placeholder:"NAME" help:"Who reads iCIMS's messages. Default: user@host."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

// Run prints the timeline of a candidate's exports.
func (c *showCommand) Run(ctx context.Context, p *process) error {
	if !input.ValidCustomer(c.Customer) {
		return usageError("%q is not an iCIMS customer id (digits only); it comes before the candidate", c.Customer)
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	if err := o.known(ctx, c.Customer); err != nil {
		return err
	}
	var shown admin.CandidateTimeline
	read := func() error {
		if shown, err = o.CandidateTimeline(ctx, c.Customer, c.Candidate, admin.TimelineWriter{Words: c.Words}); err != nil {
			return o.lost(err)
		}
		return nil
	}
	if c.Words {
		err = o.logged(ctx, &store.AuditLogEntry{What: "show --words", Customer: c.Customer, Object: o.Ledger.Candidates.CandidateReference(c.Customer, c.Candidate), Who: c.Who}, read)
	} else {
		err = read()
	}
	if err != nil {
		return err
	}
	if !shown.Known() {
		return failed("no exports found for candidate %s of customer %s, and no success marker; ids are case-sensitive", c.Candidate, c.Customer)
	}
	if c.JSON {
		return writeJSON(p.stdout, shown)
	}
	printStory(p, shown)
	return nil
}

func printStory(p *process, shown admin.CandidateTimeline) {
	out, s := p.stdout, style{p.colours(p.stdout)}
	width, _ := terminal(out)
	fmt.Fprintf(out, "Candidate %s of customer %s\n", s.paint(bold, shown.Candidate), shown.Customer)
	printMarker(out, width, shown.Marker)
	for i, x := range shown.Exports {
		target := "to prospects"
		if x.Batch.Job != 0 {
			target = fmt.Sprintf("to job %d", x.Batch.Job)
		}
		fmt.Fprintln(out)
		fmt.Fprintf(out, "%s %s\n", s.paint(bold, fmt.Sprintf("Export %d of %d, %s", i+1, len(shown.Exports), target)), s.paint(dim, "("+shown.Customer+":"+x.Outcome.Export+")"))
		paragraph(out, width, fmt.Sprintf("Submitted %s in batch %s.%s", prose.When(x.Batch.Opened), x.Batch.ID, optionsOf(x.Batch)))
		for _, told := range x.Sentences {
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
			paragraph(out, width, "Warning: "+w)
		}
		if x.Outcome.State == store.Dead {
			fmt.Fprintf(out, "    icims-export dead retry %s:%s --why \"...\"\n", shown.Customer, x.Outcome.Export)
		}
	}
}

func optionsOf(b store.Batch) string {
	text := ""
	if b.IncludePreviouslyExported {
		text += " It includes previously exported candidates."
	}
	if b.GenerateDummyEmails {
		text += " Candidates without an email get a dummy address."
	}
	return text
}

func printMarker(out io.Writer, width int, m *admin.Marker) {
	if m == nil {
		hang(out, width, "", "No export of the candidate has completed.")
		return
	}
	text := fmt.Sprintf("In iCIMS as person %d, last exported %s", m.Person, prose.When(m.ExportedAt))
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

// paragraph prints wrapped text after a bullet.
func paragraph(out io.Writer, width int, text string) {
	if text != "" {
		hang(out, width, "  • ", text)
	}
}
