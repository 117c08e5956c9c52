package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
)

// shownEvents is how many events and actions a person is given.
const shownEvents = 12

// shownLane is one customer in detail.
type shownLane struct{ operate.LaneDetail }

// show shows one customer.
func (c *lanesCommand) show(ctx context.Context, o *operator) error {
	l, err := o.Lane(ctx, c.Customer)
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
	state := strings.Replace(l.Told(prose.Clock{}), string(l.State), s.paint(stateColours[l.State], string(l.State)), 1)
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
	for _, worker := range sortedKeys(l.Breakers) {
		line("breaker", fmt.Sprintf("%s in worker %s: iCIMS fails, so that calls are suspended", l.Breakers[worker], worker))
	}
	if len(l.PausedInWeb) > 0 {
		line("paused", fmt.Sprintf("in %s: %s", operate.WebUI, strings.Join(l.PausedInWeb, " and ")))
	}
	line("connection", l.Connection)
	if l.Workers == 0 {
		line("workers", "none has been heard of lately: start one (icims-export worker)")
	}
	l.printBatches(out, s, width)
	l.printEvents(out, s, width)
}

// kept reports whether something keeps the exports of which forecasts do not know.
func (l shownLane) kept() bool {
	return l.Workers == 0 || l.Connection != "" || l.Keeps() && l.Reason != store.ReasonPaused
}

// nextOf is when the first of those comes back that come back later. While nobody
// works for the customer, that may be over.
func nextOf(l operate.Lane) string {
	if l.Next.After(time.Now()) {
		return prose.When(l.Next)
	}
	return "is due"
}

func (l shownLane) waiting() string {
	text := fmt.Sprintf("%s in large batches, %s in small ones", prose.Grouped(l.Bulk), prose.Grouped(l.Express))
	if l.Oldest > 0 {
		text += fmt.Sprintf("; the oldest for %s", prose.Span(oldestOf(l.Lane)))
	}
	return text
}

func printCalls(c operate.Calls, line func(name, text string)) {
	if c.PerDay == 0 {
		line("calls", "none was made so far")
		return
	}
	line("calls", fmt.Sprintf("%.1f a second of %g; %d in flight of %d", c.PerSecond, c.MaxRate, c.InFlight, c.MaxInFlight))
	today := fmt.Sprintf("%s made", prose.Grouped(c.Own))
	if c.Others > 0 {
		today += fmt.Sprintf(", and %s by others on the account", prose.Grouped(c.Others))
	}
	today += fmt.Sprintf("; %s of %s left", prose.Grouped(c.Left), prose.Grouped(c.PerDay))
	if kept := min(c.Reserve, c.Left); kept > 0 {
		today += fmt.Sprintf(", %s of them kept for small batches", prose.Grouped(kept))
	}
	line("today", today+fmt.Sprintf("; new ones %s (in %s)", prose.When(c.Resets), prose.Span(time.Until(c.Resets))))
}

// shownBatches is how many open batches a person is given.
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
			targetOf(b.Batch), prose.Grouped(b.Accepted-b.Moving()), prose.Grouped(b.Accepted), foretold(b.Forecast, now, l.kept())))
	}
}

// targetOf is where a batch goes.
func targetOf(b store.Batch) string {
	if b.Job != 0 {
		return fmt.Sprintf("job %d", b.Job)
	}
	return "prospects"
}

// told is something that happened, at a time.
type told struct {
	at    time.Time
	text  string
	times int
}

// printEvents tells what happened last, by itself and by operators.
func (l shownLane) printEvents(out io.Writer, s style, width int) {
	var all []told
	for _, e := range l.Events {
		// Of pauses the actions tell more, where they can be read.
		if len(l.Actions) > 0 && (e.Kind == "paused" || e.Kind == "resumed") {
			continue
		}
		all = append(all, told{at: e.At, text: eventText(e)})
	}
	for _, a := range l.Actions {
		text := fmt.Sprintf("%s %s", prose.Printable(a.Who), prose.Printable(a.What))
		if a.Count > 1 {
			text += fmt.Sprintf(" (%s)", prose.Grouped(a.Count))
		}
		if a.Why != "" {
			text += fmt.Sprintf(": “%s”", prose.Printable(a.Why))
		}
		all = append(all, told{at: a.At, text: text})
	}
	if l.SealedActions > 0 {
		defer hang(out, width, "  ", fmt.Sprintf("%d of what operators did cannot be shown: this keyset does not open it.", l.SealedActions))
	}
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(all, func(x, y told) int { return cmp.Compare(y.at.UnixMilli(), x.at.UnixMilli()) })
	all = once(all)
	fmt.Fprintf(out, "\n%s\n", s.paint(bold, "What happened last:"))
	for _, t := range all[:min(len(all), shownEvents)] {
		text := t.text
		if t.times > 1 {
			text += fmt.Sprintf(" (%d times)", t.times)
		}
		hang(out, width, fmt.Sprintf("  %-16s  ", prose.Moment(t.at)), text)
	}
}

// once puts together what happened several times within a minute, as in each of
// several workers.
func once(all []told) []told {
	var kept []told
	for _, t := range all {
		t.times = 1
		if n := len(kept); n > 0 && kept[n-1].text == t.text && kept[n-1].at.Sub(t.at) < time.Minute {
			kept[n-1].times++
			continue
		}
		kept = append(kept, t)
	}
	return kept
}

// eventText is an event as a sentence.
func eventText(e store.Event) string {
	reason := store.Reason(e.Text).Info().Title
	switch e.Kind {
	case "closed":
		text := "no calls: " + reason
		if !e.Until.IsZero() {
			text += ", until " + prose.Moment(e.Until)
		}
		return text
	case "opened":
		return "calls again, after: " + reason
	case "breaker":
		return map[string]string{
			"open": "calls suspended, since iCIMS keeps failing", "half-open": "iCIMS is probed with one call", "closed": "iCIMS answers again; calls go on",
		}[e.Text]
	}
	return strings.TrimSpace(e.Kind + " " + prose.Printable(e.Text))
}
