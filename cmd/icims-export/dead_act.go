package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// deadAct are the flags and arguments that retry, transfer and discard share.
type deadAct struct {
	What string `arg:"" optional:"" name:"which" help:"A dead letter (CUSTOMER:EXPORT) or a candidate id."`
	deadChoice

	All  bool   `help:"All dead letters of all customers."`
	Why  string `placeholder:"TEXT" help:"Reason, recorded in the audit log."`
	Who  string `placeholder:"NAME" help:"Who does it. Default: user@host."`
	JSON bool   `name:"json" help:"Print the result as one JSON object."`
}

type deadRetryCommand struct{ deadAct }

type deadDiscardCommand struct{ deadAct }

// Run retries the selected dead letters.
func (c *deadRetryCommand) Run(ctx context.Context, p *process) error {
	return c.run(ctx, p, deadAction{name: "retry", do: (*admin.DeadLetters).Retry})
}

// Run discards the selected dead letters.
func (c *deadDiscardCommand) Run(ctx context.Context, p *process) error {
	return c.run(ctx, p, deadAction{name: "discard", do: (*admin.DeadLetters).Discard})
}

// deadAction is an action on dead letters.
type deadAction struct {
	name string
	// job is the target job of a transfer; 0 otherwise.
	job int64
	do  func(*admin.DeadLetters, context.Context, admin.DeadChoice, admin.DeadOrder) (admin.DeadResult, error)
}

// object describes the selection in the audit log.
func (d deadAction) object(what string) string {
	if d.job == 0 {
		return what
	}
	return strings.TrimSpace(fmt.Sprintf("%s to job %d", what, d.job))
}

func (c *deadAct) run(ctx context.Context, p *process, d deadAction) error {
	if !c.All && !c.DryRun && c.What == "" && !c.named() {
		return usageError("this would %s all dead letters of all customers: narrow it down, or use --all", d.name)
	}
	if err := c.check(); err != nil {
		return err
	}
	if strings.TrimSpace(c.Why) == "" && !c.DryRun {
		return usageError("give a reason with --why; the audit log records it")
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	search, err := c.search(ctx, o, c.What)
	if err != nil {
		return err
	}
	if d.job != 0 && len(search.Customers) != 1 {
		return usageError("a job belongs to one customer: name the customer's dead letters with --customer, --batch, or CUSTOMER:EXPORT")
	}
	if c.DryRun {
		counts, err := o.DeadLetters.Count(ctx, search)
		if err != nil {
			return o.lost(err)
		}
		return writeDeadCounts(p, counts, c.JSON)
	}
	customers, err := o.withDeadLetters(ctx, search.Customers)
	if err != nil {
		return err
	}
	var result admin.DeadResult
	act := func() (err error) {
		result, err = d.do(o.DeadLetters, ctx, search, admin.DeadOrder{Who: whoIs(c.Who), Why: c.Why})
		return err
	}
	if len(customers) == 0 {
		err = act() // nothing to change
	} else {
		err = o.logged(ctx, &store.AuditLogEntry{What: "dead " + d.name, Object: d.object(c.What), Who: c.Who, Why: c.Why}, act, customers...)
	}
	if err != nil {
		return o.actFailed(err)
	}
	return c.report(p, result)
}

// withDeadLetters returns those of the customers that have dead letters.
func (o *operator) withDeadLetters(ctx context.Context, customers []string) ([]string, error) {
	var with []string
	for _, customer := range customers {
		n, err := o.Ledger.DeadLetters.Count(ctx, customer)
		if err != nil {
			return nil, o.lost(err)
		}
		if n > 0 {
			with = append(with, customer)
		}
	}
	return with, nil
}

// actFailed explains a partial failure.
func (o *operator) actFailed(err error) error {
	if explained := partialFailure(err, "done"); explainsItself(explained) {
		return explained
	}
	return o.lost(err)
}

func (c *deadAct) report(p *process, r admin.DeadResult) error {
	if r.Chosen == 0 && c.What != "" {
		return failed("no dead letter %s: it may have been retried or discarded meanwhile; icims-export dead list shows all", c.What)
	}
	if c.JSON {
		return writeJSON(p.stdout, r)
	}
	if r.Chosen == 0 {
		fmt.Fprintln(p.stdout, noDeadLetters)
		return nil
	}
	width, _ := terminal(p.stdout)
	text := prose.Plural(r.Done, "dead letter") + " retried. Workers process them as fast as each customer's limits allow."
	switch r.Action {
	case "transfer":
		text = transferred(r)
	case "discard":
		text = prose.Plural(r.Done, "dead letter") + " discarded, and the candidates' data purged."
	}
	if passed := r.Chosen - r.Done; passed > 0 && r.Action != "transfer" {
		text += fmt.Sprintf(" %s were already retried, discarded or transferred.", prose.Grouped(passed))
	}
	hang(p.stdout, width, "", text)
	writeCountsByReasonBriefly(p, r.ByReason)
	return nil
}

func writeCountsByReasonBriefly(p *process, counts []admin.DeadCount) {
	for _, c := range counts {
		fmt.Fprintf(p.stdout, "%8s  %s (%s)\n", prose.Grouped(c.Count), c.Title, c.Reason)
	}
}
