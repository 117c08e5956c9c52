package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// preview is the expected result for one candidate.
type preview struct {
	Candidate string         `json:"candidate"`
	Skip      string         `json:"skip,omitempty"` // why the candidate is skipped
	Person    map[string]any `json:"person,omitempty"`
	Workflow  map[string]any `json:"workflow,omitempty"`
	Dummy     bool           `json:"dummy_email,omitempty"` // the address is generated, and differs each time
	Warnings  []string       `json:"warnings,omitempty"`
}

// estimate is the expected number of calls of a batch.
type estimate struct {
	admin.Estimate

	PerDay int `json:"calls_per_day"`
	// Forecast is based on the cost of recent exports of the same kind.
	Forecast forecast.Forecast `json:"forecast"`
}

// dryRun shows what an export would do. It writes nothing to iCIMS or Redis.
func (c *exportCommand) dryRun(ctx context.Context, p *process, rows iter.Seq2[input.Candidate, error]) error {
	look, closeRedis := c.openLedger(ctx, p)
	defer closeRedis()
	conn, err := c.planned(ctx, p, look)
	if err != nil {
		return err
	}

	d := dryRun{command: c, p: p, conn: conn, operator: look, width: defaultWidth, warnings: map[mapping.Warning]int{}}
	d.width, _ = terminal(p.stdout)
	d.style = style{p.colours(p.stdout)}
	if c.JSON {
		_, _ = io.WriteString(p.stdout, `{"dry_run":true,"would":[`)
	}
	receipt, err := tasks.Review(c.batch(p, rows), p.settings.DummyEmailDomain, func(payload tasks.Payload) error {
		if ctx.Err() != nil {
			return failed("stopped; nothing was sent")
		}
		d.pending = append(d.pending, payload)
		if len(d.pending) < pageSize {
			return nil
		}
		return d.flush(ctx)
	})
	r := c.newReport(p)
	if err = r.ignoreEndErrors(err); err == nil {
		err = d.flush(ctx)
	}
	if err != nil {
		if e, ok := errors.AsType[*exit](err); ok {
			return e
		}
		return c.enqueueFailed(p, r, err)
	}
	if err := d.end(ctx, receipt, r.unreadRows); err != nil {
		return err
	}
	if r.unreadRows != "" || len(receipt.Refused) > 0 {
		return partial
	}
	return nil
}

// planned returns the connection that an export would use: the stored one if it is readable, else
// the one in the file, else the defaults.
func (c *exportCommand) planned(ctx context.Context, p *process, look *operator) (store.Connection, error) {
	if look != nil {
		if stored, err := look.Ledger.Connections.Get(ctx, c.Customer); err == nil && stored.Below().Kept() {
			return stored.WithDefaults(), nil
		}
	}
	if p.settings.Connections == "" {
		p.sayf("No connections are set (ICIMS_EXPORT_CONNECTIONS), so field names and limits are the defaults.")
		return store.Connection{Customer: c.Customer}.WithDefaults(), nil
	}
	return c.connection(p)
}

// openLedger opens the ledger to read earlier exports and the customer's status. It returns nil
// without a usable Redis; the dry run shows the rest.
func (c *exportCommand) openLedger(ctx context.Context, p *process) (*operator, func()) {
	if p.settings.RedisURL.Embedded() {
		return nil, func() {}
	}
	client, closeRedis, err := openRedis(ctx, p.settings, p.warn)
	if err != nil {
		p.sayf("%s Previous exports and the calls left today are unknown, so no candidate is shown as skipped.", prose.Sentence(err.Error()))
		return nil, func() {}
	}
	keys, _ := readKeyset(p.settings, p.warn) // shows who paused the customer
	return &operator{p.service(client, newLedger(client, keys, p.settings), keys == nil), p}, closeRedis
}

// dryRun is a dry run in progress.
type dryRun struct {
	command  *exportCommand
	p        *process
	conn     store.Connection
	operator *operator // nil without Redis
	style    style
	width    int

	pending  []tasks.Payload
	written  int
	skips    int // skipped candidates shown
	shown    int // candidates shown with their requests
	warnings map[mapping.Warning]int
	estimate estimate
}

// flush prints the pending candidates.
func (d *dryRun) flush(ctx context.Context) error {
	before := map[string]store.Marker{}
	if d.operator != nil && !d.command.IncludeExported && len(d.pending) > 0 {
		ids := make([]string, len(d.pending))
		for i, payload := range d.pending {
			ids[i] = payload.Candidate.ID
		}
		var err error
		if before, err = d.operator.Ledger.Candidates.Markers(ctx, d.command.Customer, ids); err != nil {
			return failed("cannot read previous exports from Redis. %s Or use --redis-url=embedded, which has none.", causeOf(err))
		}
	}
	for _, payload := range d.pending {
		marker, skip := before[payload.Candidate.ID]
		if err := d.show(d.judge(payload, marker, skip)); err != nil {
			return err
		}
	}
	d.pending = d.pending[:0]
	return nil
}

// judge returns the expected result for a candidate, and counts its calls.
func (d *dryRun) judge(payload tasks.Payload, before store.Marker, skip bool) preview {
	v := preview{Candidate: payload.Candidate.ID, Dummy: payload.Dummy}
	if skip {
		d.estimate.Skipped++
		v.Skip = fmt.Sprintf("exported before, on %s, as person %d", before.ExportedAt.Local().Format("2006-01-02"), before.Person)
		return v
	}
	var warnings []mapping.Warning
	v.Person, v.Workflow, warnings = mapping.Preview(payload.Candidate, d.conn, d.command.Job, d.p.settings.DummyEmailDomain)
	for _, w := range warnings {
		v.Warnings = append(v.Warnings, w.Text())
		d.warnings[w]++
	}
	d.estimate.Add(payload.Candidate, d.command.Job)
	return v
}

func (d *dryRun) show(v preview) error {
	out := d.p.stdout
	if d.command.JSON {
		line, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("render JSON: %w", err)
		}
		separator := "\n"
		if d.written > 0 {
			separator = ",\n"
		}
		d.written++
		_, err = fmt.Fprintf(out, "%s%s", separator, line)
		return err
	}
	if d.leaveOut(v) {
		return nil
	}
	if v.Skip != "" {
		_, err := fmt.Fprintf(out, "%s  %s\n\n", d.style.paint(bold, v.Candidate), d.style.paint(dim, "skipped: "+v.Skip))
		return err
	}
	note := "created, or updated if iCIMS has the email"
	if v.Dummy {
		note = "created with a dummy email address"
	}
	fmt.Fprintf(out, "%s  %s\n", d.style.paint(bold, v.Candidate), d.style.paint(dim, note))
	d.writeBody("person", v.Person)
	d.writeBody("workflow", v.Workflow)
	for _, w := range v.Warnings {
		hang(out, d.width, "  ! ", w)
	}
	_, err := fmt.Fprintln(out)
	return err
}

// shownPreviews limits the candidates whose requests are printed, and the skipped ones, without
// --all.
const shownPreviews = 3

// leaveOut counts what is printed, and reports whether this one exceeds the limit.
func (d *dryRun) leaveOut(v preview) bool {
	count := &d.shown
	if v.Skip != "" {
		count = &d.skips
	}
	if *count == shownPreviews && !d.command.All {
		return true
	}
	*count++
	return false
}

// writeBody prints the fields of a request, one per line.
func (d *dryRun) writeBody(name string, fields map[string]any) {
	if len(fields) == 0 {
		return
	}
	t := table{out: d.p.stdout, style: d.style, indent: 4}
	_, _ = fmt.Fprintf(d.p.stdout, "  %s\n", d.style.paint(cyan, name))
	var rows [][]cell
	for _, field := range sortedKeys(fields) {
		values := []any{fields[field]}
		if list, ok := asList(fields[field]); ok {
			values = list
		}
		for i, value := range values {
			label := field
			if i > 0 {
				label = ""
			}
			rows = append(rows, cells(label, readable(value)))
		}
	}
	_ = t.write(rows...)
}

// readable formats a value of the mapping as JSON, without escaping & and <.
func readable(value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // the mapping consists of strings and numbers
	}
	return strings.TrimSpace(b.String())
}

// end prints the refused rows and the estimate. unreadRows describes the rows that were not read.
func (d *dryRun) end(ctx context.Context, receipt tasks.Receipt, unreadRows string) error {
	e := &d.estimate
	if e.Candidates > 0 {
		e.LookUp(d.p.settings.LookupBatch)
	}
	warnings, jobWarning := d.setForecast(ctx), ""
	if d.operator != nil {
		jobWarning = d.operator.JobLists.Warning(ctx, d.command.Customer, d.command.Job)
	}
	e.PerDay = e.Forecast.PerDay
	out := d.p.stdout
	if d.command.JSON {
		tail, err := json.Marshal(struct {
			Accepted int                     `json:"accepted"`
			Dummies  int                     `json:"dummies,omitempty"`
			Refused  []input.Refusal         `json:"refused,omitempty"`
			Warnings []input.RepeatedWarning `json:"warnings,omitempty"`
			Estimate estimate                `json:"estimate"`
			Waits    []string                `json:"waits,omitempty"` // what blocks the customer's exports
			Job      string                  `json:"job_warning,omitempty"`
			Left     string                  `json:"input_left,omitempty"`
		}{receipt.Accepted, receipt.Dummies, receipt.Refused, receipt.Warnings, *e, warnings, jobWarning, unreadRows})
		if err != nil {
			return fmt.Errorf("render JSON: %w", err)
		}
		_, err = fmt.Fprintf(out, "\n],%s\n", tail[1:])
		return err
	}
	d.writeOthers()
	if len(receipt.Refused) > 0 {
		fmt.Fprintln(out, d.style.paint(bold, "Would be refused:"))
		most := 0
		if _, onTerminal := terminal(out); onTerminal {
			most = shownRefusals
		}
		writeRefusals(out, d.width, most, receipt.Refused)
		fmt.Fprintln(out)
	}
	if len(receipt.Warnings) > 0 {
		fmt.Fprintln(out, d.style.paint(bold, "Would be accepted, but:"))
		writeRowWarnings(out, d.width, receipt.Warnings)
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "Nothing was sent. %d would be sent, %d skipped, %d refused.\n", e.Candidates, e.Skipped, len(receipt.Refused))
	hang(out, d.width, "", d.cost(len(warnings) > 0 && e.Forecast.Waits == ""))
	if jobWarning != "" {
		warnings = append(warnings, jobWarning)
	}
	for _, w := range warnings {
		writeWarning(out, d.style, d.width, w)
	}
	return nil
}

// writeOthers prints how many candidates were not shown.
func (d *dryRun) writeOthers() {
	others := d.estimate.Candidates + d.estimate.Skipped - d.shown - d.skips
	if others == 0 {
		return
	}
	fmt.Fprintf(d.p.stdout, "… and %s, not shown: --all shows them.\n\n", prose.Plural(others, "more candidate"))
	if len(d.warnings) > 0 {
		fmt.Fprintln(d.p.stdout, d.style.paint(bold, "Would be sent with warnings:"))
		for _, w := range sortedKeys(d.warnings) {
			hang(d.p.stdout, d.width, fmt.Sprintf("  %5d  ", d.warnings[w]), w.Text())
		}
		fmt.Fprintln(d.p.stdout)
	}
}

// setForecast sets the forecast, and returns what blocks the customer's exports.
func (d *dryRun) setForecast(ctx context.Context) []string {
	e, customer := &d.estimate, d.command.Customer
	kind := store.KindOf(d.command.Job, d.command.IncludeExported)
	e.Forecast = forecast.Of(time.Now(), e.Demand(store.Costs{}, kind), store.QuotaStatus{}, d.conn.Limits)
	if d.operator == nil {
		return nil
	}
	r, err := d.operator.Forecasts.Demand(ctx, customer, kind, e.Estimate, d.conn.Limits, d.p.waits())
	if err != nil {
		return nil
	}
	e.Forecast = r.Forecast
	return r.Waits
}

// cost describes the estimate.
func (d *dryRun) cost(kept bool) string {
	asOf := "As things stand"
	if d.operator == nil {
		asOf = "With all of the day's calls left"
	}
	return admin.Reckoned(d.estimate.Estimate, d.estimate.Forecast, asOf, time.Now(), kept)
}

// asList returns the entries of a collection field.
func asList(value any) ([]any, bool) {
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Slice {
		return nil, false
	}
	list := make([]any, v.Len())
	for i := range list {
		list[i] = v.Index(i).Interface()
	}
	return list, true
}

func sortedKeys[K cmp.Ordered, V any](fields map[K]V) []K { return slices.Sorted(maps.Keys(fields)) }
