package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/store"
)

// plan draws the sample and asks for confirmation of its cost. A customer without exports has a
// plan without calls.
func (c *checkCommand) plan(ctx context.Context, o *operator) (readback.Plan, error) {
	conn, ok := o.Connections.Get(ctx, c.Customer)
	if !ok {
		return readback.Plan{}, usageError("customer %s has no usable connection: add one with icims-export connection add, or set ICIMS_EXPORT_CONNECTIONS", c.Customer)
	}
	plan, err := readback.NewPlan(ctx, o.Ledger, conn.WithDefaults(), c.Sample)
	if err != nil {
		return plan, o.lost(err)
	}
	switch {
	case plan.Calls == 0:
		o.p.sayf("Customer %s has no exported candidates to read back.", c.Customer)
	case plan.Short():
		return plan, failed("reading back %s takes up to %s, but %s left today: lower --sample, or run this again after midnight UTC", plan.SampleText(), prose.Plural(plan.Calls, "call"), areLeft(plan.Left))
	case !c.Yes && !agreed(o.p, plan.CostText()+" Continue?"):
		return plan, usageError("nothing was read back: confirm, or use --yes")
	}
	return plan, nil
}

func areLeft(n int) string {
	if n == 1 {
		return "1 is"
	}
	return prose.Grouped(n) + " are"
}

// readBack requests the read-back and waits until it has ended.
func (c *checkCommand) readBack(ctx context.Context, o *operator, plan readback.Plan) (*readback.ReadBack, error) {
	var (
		e      store.ControlTask
		joined bool
	)
	err := o.logged(ctx, &store.AuditLogEntry{What: "check --remote", Customer: c.Customer, Who: c.Who, Why: c.Why}, func() (err error) {
		e, joined, err = o.ControlTasks.Request(ctx, c.Customer, store.ControlReadBack, plan.Args, whoIs(c.Who))
		return err
	})
	if err != nil {
		return nil, o.actFailed(err)
	}
	if joined {
		o.p.sayf("A read-back requested by %s is running; following it.", prose.Printable(e.By))
	}
	var v readback.ReadBack
	f := &controlFollower{operator: o, what: "read-back", progress: newProgress(o.p)}
	err = f.follow(ctx, e, c.Wait, func(t store.ControlTask) (err error) {
		if v, err = readback.View(t); err != nil {
			return f.lost(err)
		}
		f.progress.show(fmt.Sprintf("Reading back: %s of %s", prose.Grouped(v.Report.Read), readback.People(v.People)))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if v.Failure != "" {
		return nil, failed("nothing was read back: %s %s", v.Problem, v.Remedy)
	}
	return &v, nil
}

func whyIncomplete(v readback.ReadBack) string {
	if v.Report.Problem != "" {
		return v.Report.Problem + ". " + v.Report.Remedy
	}
	return "run this again"
}

// printReadBack prints the result for each field.
func printReadBack(out io.Writer, s style, width int, v readback.ReadBack) {
	fmt.Fprintln(out)
	if len(v.Report.Fields) > 0 {
		t := table{out: out, style: s, width: width, right: map[int]bool{1: true, 2: true, 3: true, 4: true, 5: true}}
		rows := make([][]cell, 0, 1+len(v.Report.Fields))
		rows = append(rows, header(readback.Headings()...))
		for _, c := range v.Report.Fields {
			share := cell{c.Percent(), plain}
			if c.Low() {
				share.colour = red
			}
			row := make([]cell, 0, 6)
			row = append(row, cell{string(c.Field), plain})
			for _, n := range []int{c.Sent, c.Arrived, c.Changed, c.Missing} {
				shown := cell{strconv.Itoa(n), plain}
				if n == 0 {
					shown.colour = dim
				}
				row = append(row, shown)
			}
			rows = append(rows, append(row, share))
		}
		_ = t.write(rows...)
		fmt.Fprintln(out)
	}
	hang(out, width, "", v.Summary())
}
