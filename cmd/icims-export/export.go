package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

type exportCommand struct {
	File string `arg:"" help:"Candidates as NDJSON, JSON array or CSV (docs/input.md); - reads standard input."`

	Customer            string `required:"" placeholder:"ID" help:"iCIMS's customer id."`
	Job                 int64  `required:"" xor:"target" placeholder:"ID" help:"Export to this job: its system id, the number in its URL."`
	Prospects           bool   `required:"" xor:"target" help:"Export as prospects, without a job."`
	GenerateDummyEmails bool   `help:"Generate dummy addresses for candidates without an email."`
	IncludeExported     bool   `help:"Include previously exported candidates."`
	IdempotencyKey      string `placeholder:"KEY" help:"Key that makes repeated submissions one batch."`
	Format              string `enum:"auto,ndjson,csv" default:"auto" help:"Input format: auto, ndjson or csv. Auto uses the file extension, else the first character."`
	DryRun              bool   `help:"Send nothing. Show the data of the first 3 candidates (--json: of all) and the number of calls."`
	All                 bool   `help:"With --dry-run: show all candidates."`
	Wait                bool   `help:"Wait for the end and show the result. Always on with an embedded Redis, which exports inside this process."`
	JSON                bool   `name:"json" help:"Print the result as JSON."`

	inputBroke bool // reading the input failed
}

// Run exports the file.
func (c *exportCommand) Run(ctx context.Context, p *process) error {
	if c.Job < 0 || !c.Prospects && c.Job == 0 {
		return usageError("--job must be the system id of a job, the number in its URL")
	}
	if !input.ValidCustomer(c.Customer) {
		return usageError("--customer must be an iCIMS customer id, digits only")
	}
	if c.All && !c.DryRun {
		return usageError("--all is for --dry-run: an export always sends every candidate")
	}
	in, closeInput, err := c.open(p)
	if err != nil {
		return err
	}
	defer closeInput()
	rows := input.Read(in, c.readAs())
	switch {
	case c.DryRun:
		return c.dryRun(ctx, p, rows)
	case p.settings.RedisURL.Embedded():
		return c.exportHere(ctx, p, rows)
	}
	return c.submit(ctx, p, rows)
}

// open opens the file or standard input.
func (c *exportCommand) open(p *process) (io.Reader, func(), error) {
	if c.File == "-" {
		if _, typed := terminal(p.stdin); typed {
			p.sayf("Reading candidates from the terminal: one JSON object per line, or CSV with a header. End with Ctrl-D.")
		}
		return p.stdin, func() {}, nil
	}
	f, err := os.Open(c.File)
	if err == nil {
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil && !info.IsDir() {
			return f, func() { f.Close() }, nil
		}
		f.Close()
	}
	switch {
	case err == nil:
		return nil, nil, usageError("%s is a folder: name a file", c.File)
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, usageError("%s does not exist: correct the name, or use - for standard input", c.File)
	case errors.Is(err, fs.ErrPermission):
		return nil, nil, usageError("%s cannot be read: give this user read permission", c.File)
	}
	return nil, nil, usageError("%s cannot be read: check the name", c.File)
}

// readAs returns the file name by which input.Read recognizes the input format.
func (c *exportCommand) readAs() string {
	if c.Format == "" || c.Format == "auto" {
		return c.File
	}
	return "input." + c.Format
}

func (c *exportCommand) batch(p *process, rows iter.Seq2[input.Candidate, error]) input.Batch {
	watched := func(yield func(input.Candidate, error) bool) {
		for candidate, err := range rows {
			if _, row := errors.AsType[*input.RowError](err); err != nil && !row {
				c.inputBroke = true
			}
			if !yield(candidate, err) {
				return
			}
		}
	}
	return input.Batch{
		Customer: c.Customer, Target: input.Target{Job: c.Job}, IdempotencyKey: c.IdempotencyKey, Candidates: watched,
		MaxRows: p.settings.MaxBatchRows,
		Options: input.Options{GenerateDummyEmails: c.GenerateDummyEmails, IncludePreviouslyExported: c.IncludeExported},
	}
}

// submit submits the batch to the workers, and with --wait waits for the result.
func (c *exportCommand) submit(ctx context.Context, p *process, rows iter.Seq2[input.Candidate, error]) error {
	keys, err := readKeyset(p.settings, p.warn)
	if err != nil {
		return err
	}
	client, closeRedis, err := openRedis(ctx, p.settings, p.warn)
	if err != nil {
		return err
	}
	defer closeRedis()
	ledger := newLedger(client, keys, p.settings)
	if err := checkRights(ctx, ledger, p.settings); err != nil {
		return err
	}
	if err := checkKeyset(ctx, ledger, p.settings); err != nil {
		return err
	}
	provider, flush, err := p.traces(ctx, p.logger(zerolog.WarnLevel))
	if err != nil {
		return err
	}
	r := c.newReport(p)
	o := &operator{p.service(client, ledger, false), p}
	entry := &store.AuditLogEntry{What: "export", Customer: c.Customer}
	err = o.logged(ctx, entry, func() (err error) {
		r.receipt, err = c.enqueue(ctx, p, newProducer(client, ledger, p.settings, tasks.WithTraces(provider)), rows)
		entry.Object = string(r.receipt.Batch)
		if r.receipt.Batch == "" {
			return err // nothing was submitted
		}
		return r.ignoreEndErrors(err)
	})
	flush()
	if err != nil {
		return c.enqueueFailed(p, r, err)
	}
	c.addForecast(ctx, p, r, client, ledger)
	if !c.Wait {
		r.follow = "icims-export status " + string(r.receipt.Batch)
		return r.write(nil)
	}
	return c.wait(ctx, p, r, ledger, fmt.Sprintf("No export has started. Check that a worker runs (icims-export worker) with this Redis and a connection for customer %s.", c.Customer))
}

// addForecast adds the forecast, what blocks the batch, and the job warning to the report.
func (c *exportCommand) addForecast(ctx context.Context, p *process, r *report, client redis.UniversalClient, ledger *store.Ledger) {
	service := p.service(client, ledger, false)
	if r.jobWarning = service.JobLists.Warning(ctx, c.Customer, c.Job); r.jobWarning != "" {
		p.sayf("! %s", r.jobWarning)
	}
	b, err := ledger.Batches.Get(ctx, r.receipt.Batch)
	if err != nil || b.Moving() == 0 {
		return
	}
	if r.ahead = p.forecastOf(ctx, service, b); r.ahead == nil {
		return
	}
	for _, w := range r.ahead.warnings {
		p.sayf("! %s", w)
	}
	if c.Wait {
		p.sayf("%s", r.ahead.text())
	}
}

// exportHere exports in this process, with an embedded Redis.
func (c *exportCommand) exportHere(ctx context.Context, p *process, rows iter.Seq2[input.Candidate, error]) error {
	hosts, err := hostPolicy(p.settings)
	if err != nil {
		return err
	}
	conn, err := c.connection(p)
	if err != nil {
		return err
	}
	keys, err := store.NewKeyset()
	if p.settings.Keyset != "" {
		keys, err = readKeyset(p.settings, p.warn)
	}
	if err != nil {
		return err
	}
	client, closeRedis, err := openRedis(ctx, p.settings, p.warn)
	if err != nil {
		return err
	}
	defer closeRedis()
	p.sayf("Redis is embedded and keeps nothing, so a later run skips no candidates. Existing people are found by their email.")
	ledger := newLedger(client, keys, p.settings)
	log := p.logger(zerolog.WarnLevel)
	provider, flush, err := p.traces(ctx, log)
	if err != nil {
		return err
	}
	defer flush()
	w := newWorker(client, ledger, p.settings, hosts, []store.Connection{conn}, log)
	w.TraceTo(provider)
	if err := w.Start(ctx); err != nil {
		return err
	}
	defer w.Stop()
	r := c.newReport(p)
	r.receipt, err = c.enqueue(ctx, p, newProducer(client, ledger, p.settings, tasks.WithTraces(provider)), rows)
	if r.receipt.Batch != "" {
		err = r.ignoreEndErrors(err)
	}
	if err != nil {
		return c.enqueueFailed(p, r, err)
	}
	return c.wait(ctx, p, r, ledger, "")
}

// connection returns the customer's usable connection.
func (c *exportCommand) connection(p *process) (store.Connection, error) {
	hosts, err := hostPolicy(p.settings)
	if err != nil {
		return store.Connection{}, err
	}
	conns, err := readConnections(p.settings, hosts, p.lookupEnv)
	if err != nil {
		return store.Connection{}, err
	}
	for _, w := range conns.warnings {
		p.sayf("icims-export: %s", w)
	}
	conn, ok := conns.of(c.Customer)
	if !ok {
		for _, problem := range conns.problems {
			p.sayf("icims-export: %s", problem)
		}
		return conn, usageError("%s has no usable connection for customer %s: add one, or correct --customer", p.settings.Connections, c.Customer)
	}
	return conn, nil
}

// enqueue submits the rows and shows how many were read.
func (c *exportCommand) enqueue(ctx context.Context, p *process, producer *tasks.Client, rows iter.Seq2[input.Candidate, error]) (tasks.Receipt, error) {
	progress := newProgress(p)
	defer progress.end()
	const step = 200
	counted := func(yield func(input.Candidate, error) bool) {
		n := 0
		for candidate, err := range rows {
			if n++; n%step == 0 {
				progress.show(fmt.Sprintf("reading  %d candidates", n))
			}
			if !yield(candidate, err) {
				return
			}
		}
	}
	return producer.Enqueue(ctx, c.batch(p, counted))
}

// enqueueFailed explains why a batch was not submitted, or not completely.
func (c *exportCommand) enqueueFailed(p *process, r *report, err error) error {
	if refused, ok := errors.AsType[*input.BatchError](err); ok {
		return usageError("the %s %s: %s", refused.Field, refused.Message, refused.Remedy)
	}
	nothing, none := errors.AsType[*input.NothingAcceptedError](err)
	if _, cut := errors.AsType[*input.CutError](err); (none || cut) && r.receipt.RefusedRows() > 0 {
		return r.writeRefused()
	}
	if none {
		return usageError("%s", nothing)
	}
	if conflict, ok := errors.AsType[*store.BatchConflictError](err); ok {
		return usageError("%s", conflict)
	}
	if errors.Is(err, store.ErrBatchCancelled) {
		return failed("batch %s, with %d of these candidates, was canceled and accepts no more. To export them, send the file again %s",
			r.receipt.Batch, r.receipt.Accepted, map[bool]string{true: "with another idempotency key", false: "as a new batch"}[c.IdempotencyKey != ""])
	}
	if r.receipt.Accepted > 0 {
		p.sayf("Batch %s: %d candidates were accepted before the failure and are being exported.", r.receipt.Batch, r.receipt.Accepted)
	}
	remedy := "send the file again"
	if c.IdempotencyKey != "" {
		remedy += " with the same idempotency key, which adds only the rest"
	}
	waiting, tooMany := errors.AsType[*store.TooManyWaitingError](err)
	reserved, full := errors.AsType[*store.MemoryReservedError](err)
	switch {
	case tooMany:
		return failed("customer %s has reached its limit of %s waiting, dead letters included (ICIMS_EXPORT_MAX_WAITING). When some have ended, %s", c.Customer, prose.Plural(waiting.Most, "candidate"), remedy)
	case full:
		return failed("%s. Raise Redis's maxmemory, cancel batches or discard dead letters, then %s", reserved, remedy)
	case errors.Is(err, context.Canceled):
		return failed("stopped; %s", remedy)
	case c.inputBroke:
		return failed("reading the input failed (%s); %s", rootCause(err), remedy)
	}
	return failed("the batch was not submitted completely. %s Then %s.", causeOf(err), remedy)
}

// wait follows the batch to its end and prints the report.
func (c *exportCommand) wait(ctx context.Context, p *process, r *report, ledger *store.Ledger, idle string) error {
	f := follower{p: p, ledger: ledger, batch: r.receipt.Batch, progress: newProgress(p), name: "exporting", idle: idle}
	started := time.Now()
	result, err := f.follow(ctx)
	embedded := p.settings.RedisURL.Embedded()
	switch {
	case ctx.Err() != nil && embedded:
		p.sayf("Stopping after the exports in progress. A second signal stops at once.")
		return failed("stopped after %d of %d candidates. Export the file again: existing people are found by their email and not created twice", result.Created+result.Updated, r.receipt.Accepted)
	case ctx.Err() != nil:
		return failed("stopped waiting; the export continues. Follow it with: icims-export status %s", r.receipt.Batch)
	case err != nil:
		return failed("the batch cannot be followed. %s See: icims-export status %s", causeOf(err), r.receipt.Batch)
	}
	r.result, r.took, r.ahead = &result, time.Since(started), nil
	if !embedded {
		r.follow = "icims-export status " + string(r.receipt.Batch)
	}
	return r.write(admin.Outcomes(ctx, ledger, r.receipt.Batch, admin.Links{}))
}

// exportResult is the JSON of an export.
type exportResult struct {
	tasks.Receipt
	Result   *store.Batch       `json:"result,omitempty"`   // once the batch has ended
	Forecast *forecast.Forecast `json:"forecast,omitempty"` // until the batch has ended
	Waits    []string           `json:"waits,omitempty"`    // what blocks the exports, in sentences
	Failed   []admin.Outcome    `json:"failed,omitempty"`
	// JobWarning warns about a job that may be wrong.
	JobWarning string `json:"job_warning,omitempty"`
	// InputLeft describes the rows that were not read.
	InputLeft string `json:"input_left,omitempty"`
}

func writeJSON(out io.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("render JSON: %w", err)
	}
	_, err = out.Write(append(data, '\n'))
	return err
}
