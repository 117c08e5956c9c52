package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker"
)

type auditCommand struct {
	Customer string        `placeholder:"ID" help:"Only this customer; all customers without."`
	Late     time.Duration `default:"5m" placeholder:"DURATION" help:"By how much an export may be late before it counts as stuck."`
	Remote   int           `placeholder:"N" help:"Also look up N exported candidates, drawn at random, in iCIMS; without it none. Needs --customer."`
	Yes      bool          `help:"Make the calls of --remote without asking."`
	JSON     bool          `name:"json" help:"Print the result as one JSON object."`
}

// errViolations ends an audit that found something.
var errViolations = &exit{status: statusPartial}

// Run makes the audit.
func (c *auditCommand) Run(ctx context.Context, p *process) error {
	switch {
	case c.Customer != "" && !store.ValidCustomer(c.Customer):
		return misused("--customer must be iCIMS's customer id, digits only")
	case c.Remote < 0:
		return misused("--remote must be a number of candidates")
	case c.Remote > 0 && c.Customer == "":
		return misused("--remote spends calls of a customer: name one with --customer")
	}
	o, closeRedis, err := openOperator(ctx, p, false)
	if err != nil {
		return err
	}
	defer closeRedis()
	started := time.Now()
	customers, err := o.customers(ctx, c.Customer)
	if err != nil {
		return err
	}
	options := store.DefaultAuditOptions()
	options.Late = c.Late
	r, err := o.Audit(ctx, customers, options)
	if err != nil {
		return o.lost(err)
	}
	removed, err := o.Ledger.CheckJournal(ctx)
	if err != nil {
		return o.lost(err)
	}
	for _, text := range removed {
		r.Violations = append(r.Violations, store.Violation{Kind: store.ViolationJournal, Text: text})
	}
	if c.Remote > 0 {
		if err := c.remote(ctx, o, &r); err != nil {
			return err
		}
	}
	r.Finish(started)
	if c.JSON {
		if err := writeJSON(p.stdout, r); err != nil {
			return err
		}
	} else {
		printAudit(p, r)
	}
	if !r.Clean {
		return errViolations
	}
	return nil
}

// remote looks candidates up in iCIMS, once it is agreed what that costs.
func (c *auditCommand) remote(ctx context.Context, o *operator, r *operate.AuditResult) error {
	conn, ok := o.Connection(ctx, c.Customer)
	if !ok {
		return misused("customer %s has no usable connection: enter one with icims-export connection add, or name the file of connections with ICIMS_EXPORT_CONNECTIONS", c.Customer)
	}
	hosts, err := hostPolicy(o.p.settings)
	if err != nil {
		return err
	}
	markers, err := o.Ledger.SampleMarkers(ctx, c.Customer, c.Remote)
	if err != nil {
		return o.lost(err)
	}
	calls := worker.RemoteCalls(markers)
	if calls == 0 {
		o.p.sayf("No candidate of customer %s has been exported, so nothing is looked up.", c.Customer)
		return nil
	}
	if !c.Yes && !agreed(o.p, fmt.Sprintf("Looking up %s makes %s to iCIMS, of about %s a day. Go on?",
		prose.Plural(len(markers), "candidate"), prose.Plural(calls, "call"), prose.Grouped(conn.WithDefaults().Limits.CallsPerDay))) {
		return misused("nothing was looked up: agree, or give --yes")
	}
	found, err := worker.AuditRemote(ctx, o.Ledger, conn, hosts, o.p.settings.CallTimeout, markers)
	if err != nil {
		return failed("the look-up broke off: %s (%s)", store.Reason(icims.ReasonOf(err)).Info().Title, store.Reason(icims.ReasonOf(err)).Info().Hint)
	}
	r.Sampled, r.Calls = len(markers), calls
	r.Violations = append(r.Violations, found...)
	return nil
}

// agreed asks the person at the terminal.
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

// shownViolations is how many of one kind a person is given for each customer.
const shownViolations = 20

func printAudit(p *process, r operate.AuditResult) {
	out, s := p.stdout, style{p.colours(p.stdout)}
	width, _ := terminal(out)
	writeAudits(out, s, width, r.Customers)
	if r.Sampled > 0 {
		fmt.Fprintf(out, "\n%s were looked up in iCIMS, with %s.\n", prose.Plural(r.Sampled, "exported candidate"), prose.Plural(r.Calls, "call"))
	}
	fmt.Fprintln(out)
	defer sayLoss(p, r.Loss)
	defer writeOutage(out, width, r)
	defer writeRisks(out, width, r.Risks)
	if r.Clean {
		var b strings.Builder
		hang(&b, width, "", clean+" Every accepted candidate is done, skipped, dead, cancelled or still moving; counters, lists, locks, data and markers agree with the records.")
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
		hang(out, width, "", "No worker looks after late exports just now. Run this again in a minute.")
	}
}

// writeRisks tells what about Redis's settings may lose exports, or could not be checked.
func writeRisks(out io.Writer, width int, risks []string) {
	for _, risk := range risks {
		fmt.Fprintln(out)
		hang(out, width, "", "At risk: "+risk+".")
	}
}

// writeOutage tells what keeps exports, where that may be why something is wrong.
func writeOutage(out io.Writer, width int, r operate.AuditResult) {
	if o := r.Outage; o != nil && (o.Trouble != "" || !r.Clean) {
		fmt.Fprintln(out)
		hang(out, width, "", o.String())
	}
}

// placeOf names what a violation is about.
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

func writeAudits(out io.Writer, s style, width int, audits []store.Audit) {
	right := map[int]bool{}
	for i := range 8 {
		right[i] = true
	}
	t := table{out: out, style: s, width: width, right: right}
	rows := make([][]cell, 0, 1+len(audits))
	rows = append(rows, header("customer", "accepted", "done", "skipped", "dead", "cancelled", "moving", "markers"))
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
