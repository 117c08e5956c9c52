package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/store"
)

// plan draws the sample and has its cost agreed to. A plan without calls is for a
// customer without exports.
func (c *checkCommand) plan(ctx context.Context, o *operator) (readback.Plan, error) {
	conn, ok := o.Connection(ctx, c.Customer)
	if !ok {
		return readback.Plan{}, misused("customer %s has no usable connection: enter one with icims-export connection add, or name the file of connections with ICIMS_EXPORT_CONNECTIONS", c.Customer)
	}
	plan, err := readback.NewPlan(ctx, o.Ledger, conn.WithDefaults(), c.Sample)
	if err != nil {
		return plan, o.lost(err)
	}
	switch {
	case plan.Calls == 0:
		o.p.sayf("Customer %s has no exported candidates, so nothing is read back.", c.Customer)
	case plan.Short():
		return plan, failed("reading back %s takes up to %s, and %s left today: lower --sample, or run this again after midnight UTC", plan.SampleText(), prose.Plural(plan.Calls, "call"), areLeft(plan.Left))
	case !c.Yes && !agreed(o.p, plan.CostText()+" Continue?"):
		return plan, misused("nothing was read back: agree, or give --yes")
	}
	return plan, nil
}

func areLeft(n int) string {
	if n == 1 {
		return "1 is"
	}
	return prose.Grouped(n) + " are"
}

// readBack asks for the read-back, and waits until it has ended.
func (c *checkCommand) readBack(ctx context.Context, o *operator, plan readback.Plan) (*readback.ReadBack, error) {
	var (
		e      store.Errand
		joined bool
	)
	err := o.journalled(ctx, &store.JournalEntry{What: "check --remote", Customer: c.Customer, Who: c.Who, Why: c.Why}, func() (err error) {
		e, joined, err = o.Ledger.AskErrand(ctx, c.Customer, store.ErrandReadBack, plan.Args, whoIs(c.Who))
		return err
	})
	if err != nil {
		return nil, o.actFailed(err)
	}
	if joined {
		o.p.sayf("A read-back that %s asked for is running already; this follows it.", prose.Printable(e.By))
	}
	f := &readBackFollower{operator: o, progress: newProgress(o.p)}
	v, err := f.follow(ctx, e, c.Wait)
	if err != nil {
		return nil, err
	}
	if v.Failure != "" {
		return nil, failed("nothing was read back: %s %s", v.Problem, v.Remedy)
	}
	return &v, nil
}

// readBackFollower shows a read-back while it runs.
type readBackFollower struct {
	*operator

	progress *progress
	lonely   bool
}

// follow returns the read-back when it has ended.
func (f *readBackFollower) follow(ctx context.Context, e store.Errand, wait time.Duration) (readback.ReadBack, error) {
	defer f.progress.end()
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errWaited)
	defer cancel()
	start := time.Now()
	for {
		v, err := readback.View(e)
		if err != nil {
			return v, f.lost(err)
		}
		f.progress.show(fmt.Sprintf("Reading back: %s of %s", prose.Grouped(v.Report.Read), readback.People(v.People)))
		if e.State.Ended() {
			return v, nil
		}
		if e.State == store.ErrandWaiting && time.Since(start) >= lonely {
			f.alone(ctx)
		}
		next, stop := context.WithTimeout(ctx, lonely)
		e, err = f.Ledger.AwaitErrand(next, e)
		stop()
		switch {
		case ctx.Err() != nil:
			f.progress.end()
			return v, failed("the read-back has not ended and goes on without this; give the command again to follow it")
		case err != nil:
			return v, f.lost(err)
		}
	}
}

// alone says once that there is nobody to do it.
func (f *readBackFollower) alone(ctx context.Context) {
	fleet, err := f.Ledger.Fleet(ctx)
	if err != nil || fleet.Alive() || f.lonely {
		return
	}
	f.lonely = true
	f.progress.end()
	f.p.sayf("No active workers. Start one with icims-export worker; this waits for it.")
}

func whyIncomplete(v readback.ReadBack) string {
	if v.Report.Problem != "" {
		return v.Report.Problem + ". " + v.Report.Remedy
	}
	return "run this again"
}

// printReadBack prints what became of each field.
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
