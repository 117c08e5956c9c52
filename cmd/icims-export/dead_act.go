package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// deadAct is what retry and discard have in common.
type deadAct struct {
	What string `arg:"" optional:"" name:"which" help:"One dead letter, CUSTOMER:EXPORT as listed, or the id of a candidate."`
	deadChoice

	All  bool   `help:"Every dead letter of every customer."`
	Why  string `placeholder:"TEXT" help:"Why it is done; recorded with who did it, and when."`
	Who  string `placeholder:"NAME" help:"Who does it; user@host without."`
	JSON bool   `name:"json" help:"Print the result as one JSON object."`
}

type deadRetryCommand struct{ deadAct }

type deadDiscardCommand struct{ deadAct }

// Run sets what is chosen going again.
func (c *deadRetryCommand) Run(ctx context.Context, p *process) error {
	return c.run(ctx, p, "retry", retryDead)
}

// Run gives what is chosen up for good.
func (c *deadDiscardCommand) Run(ctx context.Context, p *process) error {
	return c.run(ctx, p, "discard", discardDead)
}

// act does it to exports of one customer and returns to how many.
type act func(ctx context.Context, o *operator, customer string, exports []string, who, why string) (int, error)

func retryDead(ctx context.Context, o *operator, customer string, exports []string, who, why string) (int, error) {
	revived, err := o.ledger.ReviveAll(ctx, customer, exports, who, why)
	if err != nil || len(revived) == 0 {
		return 0, err
	}
	alarms := make([]tasks.Alarm, len(revived))
	for i, r := range revived {
		alarms[i] = tasks.Alarm{Export: r.Export, Generation: r.Generation}
	}
	// Whatever is not enqueued here, the workers find by themselves.
	return len(revived), tasks.Enqueue(ctx, o.redis, o.ledger, customer, alarms...)
}

func discardDead(ctx context.Context, o *operator, customer string, exports []string, who, why string) (int, error) {
	return o.ledger.DiscardAll(ctx, customer, exports, who, why)
}

// deadResult is what was done.
type deadResult struct {
	Action    string         `json:"action"`
	Chosen    int            `json:"chosen"`
	Done      int            `json:"done"`
	Customers map[string]int `json:"customers"`
	ByReason  []deadCount    `json:"by_reason"`
	Who       string         `json:"who"`
	Why       string         `json:"why"`
	Seconds   float64        `json:"seconds"`
}

func (c *deadAct) run(ctx context.Context, p *process, name string, do act) error {
	if !c.All && !c.DryRun && c.What == "" && !c.named() {
		return misused("this would %s all dead letters of all customers: say which, or --all", name)
	}
	if err := c.check(); err != nil {
		return err
	}
	if strings.TrimSpace(c.Why) == "" && !c.DryRun {
		return misused("say why with --why: it is recorded with who did it")
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
	if c.DryRun {
		counts, err := search.count(ctx)
		if err != nil {
			return err
		}
		return writeDeadCounts(p, counts, c.JSON)
	}
	started := time.Now()
	result := deadResult{Action: name, Customers: map[string]int{}, Who: whoIs(c.Who), Why: c.Why}
	counts := deadCounts{}
	err = search.each(ctx, func(customer string, page []chosen) error {
		counts.add(page)
		ids := make([]string, len(page))
		for i, d := range page {
			ids[i] = d.Export
		}
		n, err := do(ctx, o, customer, ids, result.Who, result.Why)
		result.Done += n
		result.Customers[customer] += n
		if err != nil {
			return failed("it broke off after %s (%s): give the command again to go on", plural(result.Done, "dead letter"), rootCause(err))
		}
		return nil
	})
	result.Chosen, result.ByReason = total(counts), counts.list()
	result.Seconds = time.Since(started).Round(10 * time.Millisecond).Seconds()
	// What was done is recorded, even if it broke off or was stopped.
	if err := c.record(context.WithoutCancel(ctx), o, result); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return c.report(p, result)
}

func (c *deadAct) record(ctx context.Context, o *operator, r deadResult) error {
	what := map[string]string{"retry": "retried dead letters", "discard": "discarded dead letters"}[r.Action]
	for customer, n := range r.Customers {
		if n == 0 {
			continue
		}
		err := o.ledger.Act(ctx, customer, store.Action{At: time.Now(), Who: r.Who, What: what, Why: r.Why, Count: n})
		if err != nil {
			return failed("%s: done, but that could not be recorded (%s)", plural(n, "dead letter"), rootCause(err))
		}
	}
	return nil
}

func (c *deadAct) report(p *process, r deadResult) error {
	if r.Chosen == 0 && c.What != "" {
		return failed("there is no dead letter %s: it may have been retried or discarded meanwhile; icims-export dead list shows those there are", c.What)
	}
	if c.JSON {
		return writeJSON(p.stdout, r)
	}
	if r.Chosen == 0 {
		fmt.Fprintln(p.stdout, noDeadLetters)
		return nil
	}
	width, _ := terminal(p.stdout)
	text := plural(r.Done, "dead letter") + " set going again; the workers take them up as fast as each customer's limits allow."
	if r.Action == "discard" {
		text = plural(r.Done, "dead letter") + " discarded, and the candidates' data purged."
	}
	if passed := r.Chosen - r.Done; passed > 0 {
		text += fmt.Sprintf(" %s had been taken care of meanwhile.", grouped(passed))
	}
	hang(p.stdout, width, "", text)
	writeCountsByReasonBriefly(p, r.ByReason)
	return nil
}

func writeCountsByReasonBriefly(p *process, counts []deadCount) {
	for _, c := range counts {
		fmt.Fprintf(p.stdout, "%8s  %s (%s)\n", grouped(c.Count), c.Title, c.Reason)
	}
}
