package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// shownLane prints a customer's lane in detail.
type shownLane struct{ admin.LaneDetail }

// show prints one customer's lane.
func (c *lanesCommand) show(ctx context.Context, o *operator) error {
	l, err := o.Lanes.Get(ctx, c.Customer)
	if err != nil {
		return o.lost(err)
	}
	if c.JSON {
		return writeJSON(o.p.stdout, l)
	}
	shownLane{l}.print(o.p)
	return nil
}

func (l shownLane) print(p *process) {
	out, s := p.stdout, style{p.colours(p.stdout)}
	width, _ := terminal(out)
	state := strings.Replace(l.Sentence(prose.Clock{}), string(l.State), s.paint(stateColours[l.State], string(l.State)), 1)
	fmt.Fprintf(out, "Customer %s: %s\n", s.paint(bold, l.Customer), state)
	line := func(name, text string) {
		if text != "" {
			hang(out, width, fmt.Sprintf("  %-12s", name), text)
		}
	}
	line("waiting", l.waiting())
	line("in work", prose.Grouped(l.Active))
	if l.Later > 0 {
		line("later", prose.Grouped(l.Later)+", the next one "+nextOf(l.Lane))
	}
	printCalls(l.Calls, line)
	if !l.LastGood.IsZero() {
		line("last good", "a call succeeded "+prose.When(l.LastGood))
	}
	for _, text := range l.BreakerTexts() {
		line("breaker", text)
	}
	if len(l.PausedInWeb) > 0 {
		line("paused", fmt.Sprintf("in %s: %s", admin.WebUI, strings.Join(l.PausedInWeb, " and ")))
	}
	line("connection", l.Connection)
	switch {
	case l.Outage == nil:
	case l.Outage.Trouble != "":
		line("Redis", l.Outage.String())
	default:
		line("workers", l.Outage.String())
	}
	l.printBatches(out, s, width)
	l.printEvents(out, s, width)
}

// nextOf formats when the first scheduled export is due. If no worker processes the customer, that
// may be in the past.
func nextOf(l admin.Lane) string {
	if l.Next.After(time.Now()) {
		return prose.When(l.Next)
	}
	return "is due"
}

func (l shownLane) waiting() string {
	text := fmt.Sprintf("%s in large batches, %s in small batches", prose.Grouped(l.Bulk), prose.Grouped(l.Express))
	if l.Oldest > 0 {
		text += fmt.Sprintf("; the oldest for %s", prose.Span(oldestOf(l.Lane)))
	}
	return text
}

func printCalls(c admin.Calls, line func(name, text string)) {
	if c.PerDay == 0 {
		line("calls", "none so far")
		return
	}
	lowered := ""
	if c.Lowered {
		lowered = " (lowered after a 429)"
	}
	line("calls", fmt.Sprintf("%.1f of %g per second%s; %d of %d in flight", c.PerSecond, c.MaxRate, lowered, c.InFlight, c.MaxInFlight))
	today := fmt.Sprintf("%s made", prose.Grouped(c.Own))
	if c.Others > 0 {
		today += fmt.Sprintf(", and %s by others on the account", prose.Grouped(c.Others))
	}
	today += fmt.Sprintf("; %s of %s left", prose.Grouped(c.Left), prose.Grouped(c.PerDay))
	if kept := min(c.Reserve, c.Left); kept > 0 {
		today += fmt.Sprintf(", %s reserved for small batches", prose.Grouped(kept))
	}
	line("today", today+fmt.Sprintf("; resets %s (in %s)", prose.When(c.Resets), prose.Span(time.Until(c.Resets))))
}

// shownBatches limits the open batches that are printed.
const shownBatches = 10

func (l shownLane) printBatches(out io.Writer, s style, width int) {
	if len(l.Batches) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", s.paint(bold, "Open batches:"))
	now := time.Now()
	for i, b := range l.Batches {
		if i == shownBatches {
			fmt.Fprintf(out, "  … and %s more; --json lists them all\n", prose.Grouped(len(l.Batches)-i))
			break
		}
		hang(out, width, fmt.Sprintf("  %s  ", b.ID), fmt.Sprintf("to %s, %s of %s ended; %s",
			targetOf(b.Batch), prose.Grouped(b.Accepted-b.Moving()), prose.Grouped(b.Accepted), admin.ForecastText(b.Forecast, now, l.Kept())))
	}
}

// targetOf describes the target of a batch.
func targetOf(b store.Batch) string {
	if b.Job != 0 {
		return fmt.Sprintf("job %d", b.Job)
	}
	return "prospects"
}

// printEvents prints the recent activity.
func (l shownLane) printEvents(out io.Writer, s style, width int) {
	if l.SealedActions > 0 {
		defer hang(out, width, "  ", fmt.Sprintf("%d operator actions cannot be shown: they are sealed with another keyset.", l.SealedActions))
	}
	all := l.Happened(prose.Clock{})
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", s.paint(bold, "Recent events:"))
	for _, h := range all {
		text := h.Text
		if h.Times > 1 {
			text += fmt.Sprintf(" (%d times)", h.Times)
		}
		hang(out, width, fmt.Sprintf("  %-16s  ", prose.Moment(h.At)), text)
	}
}
