package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

type checkCommand struct {
	Customer string        `placeholder:"ID" help:"Only this customer. Default: all."`
	Late     time.Duration `default:"5m" placeholder:"DURATION" help:"Delay after which an overdue export counts as stuck."`
	Remote   remoteFlag    `help:"Also read exported people and workflows back from iCIMS and compare them with the sent values. Needs --customer."`
	Sample   int           `default:"50" placeholder:"N" help:"Number of people that --remote reads back, up to 500."`
	Yes      bool          `help:"Do not ask before making the calls of --remote."`
	Wait     time.Duration `default:"30m" placeholder:"DURATION" help:"How long to wait for --remote. It continues in the background."`
	actor
}

// remoteFlag is --remote. It also accepts the sample size (--remote=50, --remote 50), for scripts
// written for earlier versions.
type remoteFlag struct {
	asked  bool
	sample int // 0: not given
}

// IsBool tells kong that the flag needs no value.
func (*remoteFlag) IsBool() bool { return true }

// Decode parses the flag and its optional value.
func (r *remoteFlag) Decode(ctx *kong.DecodeContext) error {
	r.asked = true
	token := ctx.Scan.Peek()
	n, err := strconv.Atoi(fmt.Sprint(token.Value))
	switch {
	case token.Type == kong.FlagValueToken && (err != nil || n <= 0):
		return errors.New("takes no value: set the number of people with --sample")
	case token.Type == kong.FlagValueToken || token.IsValue() && err == nil:
		ctx.Scan.Pop()
		r.sample = n
	}
	return nil
}

// errViolations ends a check that found violations.
var errViolations = &exit{status: statusPartial}

// Run runs the consistency check.
func (c *checkCommand) Run(ctx context.Context, p *process) error {
	if err := c.check(); err != nil {
		return err
	}
	o, closeRedis, err := openOperator(ctx, p, c.Remote.asked)
	if err != nil {
		return err
	}
	defer closeRedis()
	var plan readback.Plan
	if c.Remote.asked {
		if plan, err = c.plan(ctx, o); err != nil {
			return err
		}
	}
	started := time.Now()
	customers, err := o.customers(ctx, c.Customer)
	if err != nil {
		return err
	}
	options := store.DefaultCheckOptions()
	options.Late = c.Late
	r, err := o.Check(ctx, customers, options)
	if err != nil {
		return o.lost(err)
	}
	removed, err := o.Ledger.AuditLog.Check(ctx)
	if err != nil {
		return o.lost(err)
	}
	for _, text := range removed {
		r.Violations = append(r.Violations, store.Violation{Kind: store.ViolationJournal, Text: text})
	}
	if plan.Calls > 0 {
		if r.ReadBack, err = c.readBack(ctx, o, plan); err != nil {
			return err
		}
		r.Violations = append(r.Violations, r.ReadBack.Violations()...)
	}
	r.Finish(started)
	if c.JSON {
		if err := writeJSON(p.stdout, r); err != nil {
			return err
		}
	} else {
		printAudit(p, r)
	}
	switch {
	case !r.Clean:
		return errViolations
	case r.ReadBack != nil && r.ReadBack.Report.Result != readback.ResultComplete:
		return failed("read-back incomplete: %s", whyIncomplete(*r.ReadBack))
	}
	return nil
}

// check refuses flags that cannot be combined.
func (c *checkCommand) check() error {
	if c.Remote.sample != 0 {
		c.Sample = c.Remote.sample
	}
	switch {
	case c.Customer != "" && !input.ValidCustomer(c.Customer):
		return usageError("--customer must be an iCIMS customer id, digits only")
	case c.Sample < 1 || c.Sample > readback.MaxSample:
		return usageError("--sample must be from 1 to %d people", readback.MaxSample)
	case c.Remote.asked && c.Customer == "":
		return usageError("--remote takes calls of a customer: name it with --customer")
	}
	return nil
}

// agreed asks for confirmation on the terminal.
func agreed(p *process, question string) bool {
	if _, typed := terminal(p.stdin); !typed {
		p.sayf("%s", question)
		return false
	}
	fmt.Fprintf(messages{p}, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(p.stdin).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

const clean = "Clean."

// shownViolations limits the violations of one kind per customer in text output.
const shownViolations = 20

func printAudit(p *process, r admin.CheckResult) {
	out, s := p.stdout, style{p.colours(p.stdout)}
	width, _ := terminal(out)
	writeAudits(out, s, width, r.Customers)
	if r.ReadBack != nil {
		printReadBack(out, s, width, *r.ReadBack)
	}
	fmt.Fprintln(out)
	defer printLoss(p, r.Loss)
	defer writeOutage(out, width, r)
	defer writeRisks(out, width, r.Risks)
	if r.Clean {
		var b strings.Builder
		hang(&b, width, "", clean+" Every accepted candidate is done, skipped, dead, canceled or in progress. Counters, lists, locks, data and success markers agree with the records.")
		fmt.Fprint(out, strings.Replace(b.String(), clean, s.paint(green, clean), 1))
		return
	}
	fmt.Fprintf(out, "%s:\n", s.paint(red, prose.Plural(len(r.Violations)+r.More, "violation")))
	type group struct{ customer, kind string }
	shown := map[group]int{}
	for _, v := range r.Violations {
		g := group{v.Customer, v.Kind}
		if shown[g]++; shown[g] <= shownViolations {
			hang(out, width, "  • ", v.Text+" "+placeOf(v))
		}
	}
	hidden := r.More
	for _, n := range shown {
		hidden += max(n-shownViolations, 0)
	}
	if hidden > 0 {
		fmt.Fprintf(out, "  … and %s more of the same kinds; --json lists up to 1,000 of each\n", prose.Grouped(hidden))
	}
	if !r.Worker && r.Outage == nil {
		fmt.Fprintln(out)
		hang(out, width, "", "No worker is the leader, so overdue exports are not re-enqueued. Run this again in a minute.")
	}
}

// writeRisks lists Redis settings that may lose exports, or could not be checked.
func writeRisks(out io.Writer, width int, risks []string) {
	for _, risk := range risks {
		fmt.Fprintln(out)
		hang(out, width, "", "At risk: "+risk+".")
	}
}

// writeOutage prints the outage, if it may have caused the violations.
func writeOutage(out io.Writer, width int, r admin.CheckResult) {
	if o := r.Outage; o != nil && (o.Trouble != "" || !r.Clean) {
		fmt.Fprintln(out)
		hang(out, width, "", o.String())
	}
}

// placeOf returns the customer, batch or export of a violation.
func placeOf(v store.Violation) string {
	var parts []string
	if v.Customer != "" {
		parts = append(parts, "customer "+v.Customer)
	}
	if v.Batch != "" {
		parts = append(parts, "batch "+string(v.Batch))
	}
	if v.Export != "" {
		parts = append(parts, "export "+v.Export)
	}
	return "[" + strings.Join(append(parts, v.Kind), ", ") + "]"
}

func writeAudits(out io.Writer, s style, width int, audits []store.CustomerCheck) {
	right := map[int]bool{}
	for i := range 8 {
		right[i] = true
	}
	t := table{out: out, style: s, width: width, right: right}
	rows := make([][]cell, 0, 1+len(audits))
	rows = append(rows, header("customer", "accepted", "done", "skipped", "dead", "canceled", "in progress", "markers"))
	for _, a := range audits {
		numbers := []int{a.Accepted, a.Done, a.Skipped, a.Dead, a.Cancelled, a.Moving, a.Markers}
		row := make([]cell, 0, 1+len(numbers))
		row = append(row, cell{a.Customer, plain})
		for _, n := range numbers {
			c := plain
			if n == 0 {
				c = dim
			}
			row = append(row, cell{strconv.Itoa(n), c})
		}
		rows = append(rows, row)
	}
	_ = t.write(rows...)
}
