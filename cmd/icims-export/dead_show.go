package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/tasks/input"
)

type deadShowCommand struct {
	Customer string `arg:"" help:"iCIMS's customer id, or the dead letter (CUSTOMER:EXPORT)."`
	Which    string `arg:"" optional:"" help:"Candidate id or export id."`
	ShowData bool   `help:"Show the candidate's data that an export sends. This is personal data; the audit log records the access."`
	Who      string `placeholder:"NAME" help:"Who views the data. Default: user@host."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Run explains the selected dead letters, usually one.
func (c *deadShowCommand) Run(ctx context.Context, p *process) error {
	if customer, export, ok := strings.Cut(c.Customer, ":"); ok && c.Which == "" {
		c.Customer, c.Which = customer, export
	}
	if !input.ValidCustomer(c.Customer) {
		return usageError("%q is not an iCIMS customer id (digits only); it comes before the candidate", c.Customer)
	}
	if c.Which == "" {
		return usageError("name the dead letter of customer %s: a candidate id or export id; see icims-export dead show --help", c.Customer)
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	if err := o.known(ctx, c.Customer); err != nil {
		return err
	}
	letters, err := o.DeadLetters.Find(ctx, c.Customer, c.Which)
	if err != nil {
		return o.lost(err)
	}
	if len(letters) == 0 {
		return failed("customer %s has no dead letter %s: see icims-export show %s %s", c.Customer, c.Which, c.Customer, c.Which)
	}
	for i, d := range letters {
		shown, err := c.read(ctx, o, d)
		if err != nil {
			return err
		}
		if c.JSON {
			if err := writeJSON(p.stdout, shown); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		printDead(p, shown, c.ShowData)
	}
	return nil
}

func (c *deadShowCommand) read(ctx context.Context, o *operator, l admin.DeadLetter) (admin.ExplainedDead, error) {
	shown, err := o.DeadLetters.Explain(ctx, l, admin.TimelineWriter{Words: c.ShowData})
	if err != nil {
		return shown, o.lost(err)
	}
	if c.ShowData {
		return shown, c.open(ctx, o, &shown)
	}
	return shown, nil
}

// open adds what the export sends, and records who viewed it.
func (c *deadShowCommand) open(ctx context.Context, o *operator, shown *admin.ExplainedDead) error {
	known, err := o.DeadLetters.Open(ctx, shown, whoIs(c.Who))
	untold, unrecorded := errors.AsType[*admin.UnrecordedError](err)
	switch {
	case unrecorded:
		return failed("the data is not shown, because the audit log cannot record it. %s", causeOf(untold.Err))
	case errors.Is(err, admin.ErrDataBroken):
		return failed("the candidate's data cannot be read: export the candidate again, and discard this dead letter")
	case isRedis(err):
		return o.lost(err)
	case err != nil:
		return failed("the candidate's data cannot be opened (%s): check that ICIMS_EXPORT_KEYSET is the workers' keyset", rootCause(err))
	case !known:
		o.p.sayf("The customer has no usable connection here. Fields have their default names.")
	}
	return nil
}

func printDead(p *process, shown admin.ExplainedDead, opened bool) {
	out, s := p.stdout, style{p.colours(p.stdout)}
	width, _ := terminal(out)
	target := "prospects"
	if shown.Job != 0 {
		target = fmt.Sprintf("job %d", shown.Job)
	}
	fmt.Fprintf(out, "Dead letter %s\n", s.paint(bold, shown.Customer+":"+shown.Export))
	line := func(name, text string) {
		if text != "" {
			hang(out, width, fmt.Sprintf("  %-10s", name), text)
		}
	}
	line("candidate", shown.Candidate)
	line("reason", fmt.Sprintf("%s (%s)", shown.Title, shown.Reason))
	line("failed", fmt.Sprintf("%s, after %s", strings.TrimPrefix(prose.When(shown.Died), "at "), prose.Plural(shown.Attempts, "attempt")))
	line("batch", fmt.Sprintf("%s, to %s", shown.Batch, target))
	if shown.Person != 0 {
		line("in iCIMS", strings.TrimSpace(fmt.Sprintf("person %d already exists %s", shown.Person, shown.Link)))
	}
	hang(out, width, "  → ", shown.Hint)
	hang(out, width, "    ", shown.Meaning+" explains the reason.")

	fmt.Fprintf(out, "\n%s\n", s.paint(bold, "Timeline:"))
	for _, told := range shown.Sentences {
		paragraph(out, width, told)
	}
	if len(shown.Sentences) == 0 {
		paragraph(out, width, "No entries.")
	}
	for _, w := range shown.Warnings {
		paragraph(out, width, "Remark: "+w)
	}
	fmt.Fprintln(out)
	if opened {
		writeFields(out, s, width, "Request that creates the person:", shown.Data)
		writeFields(out, s, width, "Request that creates the workflow:", shown.Workflow)
	} else {
		hang(out, width, "", "The candidate's data is sealed. --show-data shows the data that is sent.")
	}
	fmt.Fprintf(out, "icims-export dead retry %s:%s --why \"...\"\n", shown.Customer, shown.Export)
}

// writeFields prints each field with its value.
func writeFields(out io.Writer, s style, width int, title string, fields map[string]any) {
	if len(fields) == 0 {
		return
	}
	fmt.Fprintln(out, s.paint(bold, title))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		hang(out, width, fmt.Sprintf("  %-16s ", name), valueOf(fields[name]))
	}
	fmt.Fprintln(out)
}

// valueOf formats a field's value as it is sent.
func valueOf(value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "(cannot be shown)"
	}
	return b.String()
}
