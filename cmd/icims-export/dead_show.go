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
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker"
)

type deadShowCommand struct {
	Customer string `arg:"" help:"iCIMS's customer id; or the dead letter as listed, CUSTOMER:EXPORT."`
	Which    string `arg:"" optional:"" help:"Id of the candidate, or of the export."`
	ShowData bool   `help:"Open the candidate's data and show what an export sends of it. This is personal data; that it was shown is recorded."`
	Who      string `placeholder:"NAME" help:"Who looks at the data; user@host without."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// explainedDead is a dead letter explained.
type explainedDead struct {
	deadLine

	Meaning  string         `json:"documentation"` // where the reason is explained
	Told     []string       `json:"told"`
	Warnings []string       `json:"warnings,omitempty"`
	Link     string         `json:"link,omitempty"`
	Data     map[string]any `json:"data,omitempty"`     // what creates the person
	Workflow map[string]any `json:"workflow,omitempty"` // and the workflow

	job int64
}

// Run explains the dead letters that are meant: most often one.
func (c *deadShowCommand) Run(ctx context.Context, p *process) error {
	if customer, export, ok := strings.Cut(c.Customer, ":"); ok && c.Which == "" {
		c.Customer, c.Which = customer, export
	}
	if !store.ValidCustomer(c.Customer) {
		return misused("%q is no customer id of iCIMS: digits only, before the candidate", c.Customer)
	}
	if c.Which == "" {
		return misused("say which dead letter of customer %s: the id of the candidate or export; see icims-export dead show --help", c.Customer)
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	letters, err := c.find(ctx, o)
	if err != nil {
		return err
	}
	if len(letters) == 0 {
		return failed("customer %s has no dead letter %s: icims-export show %s %s tells how it stands", c.Customer, c.Which, c.Customer, c.Which)
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
		shown.print(p, c.ShowData)
	}
	return nil
}

func (c *deadShowCommand) find(ctx context.Context, o *operator) ([]chosen, error) {
	search, err := deadChoice{Customer: c.Customer}.search(ctx, o, c.Which)
	if err != nil {
		return nil, err
	}
	d, err := o.ledger.DeadLetter(ctx, store.Ref{Customer: c.Customer, Export: c.Which})
	switch {
	case err == nil:
		return search.choose(ctx, c.Customer, []store.DeadLetter{d})
	case !errors.Is(err, store.ErrNotDead):
		return nil, o.lost(err)
	}
	var found []chosen
	err = search.each(ctx, func(_ string, page []chosen) error {
		found = append(found, page...)
		return nil
	})
	return found, err
}

func (c *deadShowCommand) read(ctx context.Context, o *operator, d chosen) (explainedDead, error) {
	l := o.p.links(ctx, o.ledger, c.Customer)
	shown := explainedDead{deadLine: d.line(), Meaning: "docs/errors.md#" + string(d.Reason), Told: []string{}, Link: l.person(d.Person)}
	story, err := o.ledger.Story(ctx, d.Ref)
	if err != nil {
		return shown, o.lost(err)
	}
	for _, e := range story {
		shown.Told = append(shown.Told, storyteller{c.ShowData}.tell(e))
	}
	for _, w := range worker.ParseWarnings(d.Warnings) {
		shown.Warnings = append(shown.Warnings, w.Text())
	}
	b, err := o.ledger.Batch(ctx, d.Batch)
	if err != nil && !errors.Is(err, store.ErrNoBatch) {
		return shown, o.lost(err)
	}
	shown.job = b.Job
	if c.ShowData {
		return shown, c.open(ctx, o, d, &shown)
	}
	return shown, nil
}

// open adds what the export sends, and records that somebody saw it.
func (c *deadShowCommand) open(ctx context.Context, o *operator, d chosen, shown *explainedDead) error {
	data, err := o.ledger.Payload(ctx, d.Ref)
	if err != nil {
		return failed("the candidate's data cannot be opened (%s): see whether ICIMS_EXPORT_KEYSET is the workers' keyset", rootCause(err))
	}
	payload, err := tasks.DecodePayload(data)
	if err != nil {
		return failed("the candidate's data cannot be read: export the candidate again, and discard this one")
	}
	conn, ok := o.p.connection(ctx, o.ledger, c.Customer)
	if !ok {
		o.p.sayf("The customer has no usable connection here, so fields have their default names.")
	}
	action := store.Action{At: time.Now(), Who: whoIs(c.Who), What: "looked at the data of export " + d.Export, Count: 1}
	if err := o.ledger.Act(ctx, c.Customer, action); err != nil {
		return failed("the data is not shown, since that could not be recorded (%s)", rootCause(err))
	}
	shown.Data, shown.Workflow, _ = worker.Preview(payload.Candidate, conn, shown.job, o.p.settings.DummyEmailDomain)
	return nil
}

func (shown explainedDead) print(p *process, opened bool) {
	out, s := p.stdout, style{p.colours(p.stdout)}
	width, _ := terminal(out)
	target := "the prospects"
	if shown.job != 0 {
		target = fmt.Sprintf("job %d", shown.job)
	}
	fmt.Fprintf(out, "Dead letter %s\n", s.paint(bold, shown.Customer+":"+shown.Export))
	line := func(name, text string) {
		if text != "" {
			hang(out, width, fmt.Sprintf("  %-10s", name), text)
		}
	}
	line("candidate", shown.Candidate)
	line("reason", fmt.Sprintf("%s (%s)", shown.Title, shown.Reason))
	line("given up", fmt.Sprintf("%s, after %s", strings.TrimPrefix(when(shown.Died), "at "), plural(shown.Attempts, "attempt")))
	line("batch", fmt.Sprintf("%s, to %s", shown.Batch, target))
	if shown.Person != 0 {
		line("in iCIMS", strings.TrimSpace(fmt.Sprintf("person %d is there already %s", shown.Person, shown.Link)))
	}
	hang(out, width, "  → ", shown.Hint)
	hang(out, width, "    ", shown.Meaning+" says more.")

	fmt.Fprintf(out, "\n%s\n", s.paint(bold, "What happened:"))
	for _, told := range shown.Told {
		paragraph(out, width, told)
	}
	if len(shown.Told) == 0 {
		paragraph(out, width, "Nothing of it is kept.")
	}
	for _, w := range shown.Warnings {
		paragraph(out, width, "Remark: "+w)
	}
	fmt.Fprintln(out)
	if opened {
		writeFields(out, s, width, "What creates the person:", shown.Data)
		writeFields(out, s, width, "What creates the workflow, with the person:", shown.Workflow)
	} else {
		hang(out, width, "", "The candidate's data is sealed; --show-data opens it and shows what is sent.")
	}
	fmt.Fprintf(out, "icims-export dead retry %s:%s --why \"...\"\n", shown.Customer, shown.Export)
}

// writeFields names each field with its value.
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

// valueOf is a field's value as it is sent.
func valueOf(value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "(cannot be shown)"
	}
	return b.String()
}
