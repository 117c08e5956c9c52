package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

type lanesCommand struct {
	Customer string `arg:"" optional:"" help:"Show one customer in detail: calls, queues, batches and recent events."`
	All      bool   `help:"Include idle customers."`
	JSON     bool   `name:"json" help:"Print one JSON object."`
}

// Run lists the customers, or shows one.
func (c *lanesCommand) Run(ctx context.Context, p *process) error {
	if c.Customer != "" && !input.ValidCustomer(c.Customer) {
		return usageError("%q is not an iCIMS customer id: digits only", c.Customer)
	}
	o, closeRedis, err := openOperator(ctx, p, false)
	if err != nil {
		return err
	}
	defer closeRedis()
	if c.Customer != "" {
		if err := o.known(ctx, c.Customer); err != nil {
			return err
		}
		return c.show(ctx, o)
	}
	r, err := o.Lanes.List(ctx, admin.LaneQuery{All: c.All})
	if err != nil {
		return o.lost(err)
	}
	if c.JSON {
		return writeJSON(p.stdout, r)
	}
	return lanes{r}.print(p)
}

// lanes prints a list of lanes.
type lanes struct{ admin.LaneList }

// print prints the list: as a table on a terminal, tab-separated otherwise.
func (r lanes) print(p *process) error {
	width, onTerminal := terminal(p.stdout)
	var err error
	switch {
	case !onTerminal:
		err = r.writeTabs(p.stdout)
	case len(r.Lanes) > 0:
		err = r.writeTable(p.stdout, style{p.colours(p.stdout)}, width)
	}
	if err != nil {
		return err
	}
	r.summary(p, onTerminal)
	return nil
}

func (r lanes) writeTable(out io.Writer, s style, width int) error {
	right := map[int]bool{}
	for i := 1; i <= 7; i++ {
		right[i] = true
	}
	t := table{out: out, style: s, width: width, right: right}
	rows := make([][]cell, len(r.Lanes))
	titles := header("customer", "express", "bulk", "active", "later", "oldest", "calls/s", "left today", "state")
	t.measure(titles)
	for i, l := range r.Lanes {
		rows[i] = laneCells(l)
		t.measure(rows[i])
	}
	if err := t.print(titles); err != nil {
		return err
	}
	for i, row := range rows {
		if err := t.print(row); err != nil {
			return err
		}
		for _, note := range laneNotes(r.Lanes[i]) {
			hang(out, width, "  → ", note)
		}
	}
	return nil
}

// laneNotes returns notes that do not fit into the columns.
func laneNotes(l admin.Lane) []string {
	var notes []string
	if l.Keeps() {
		notes = append(notes, l.Sentence(prose.Clock{}))
	}
	if l.State == admin.LaneLater && !l.Next.IsZero() {
		notes = append(notes, "the next one "+nextOf(l))
	}
	if l.Connection != "" {
		notes = append(notes, "connection: "+l.Connection)
	}
	return notes
}

func laneCells(l admin.Lane) []cell {
	number := func(n int) cell {
		if n == 0 {
			return cell{"0", dim}
		}
		return cell{prose.Grouped(n), plain}
	}
	oldest, rate, left := cell{}, cell{}, cell{}
	if l.Oldest > 0 {
		oldest.text = spanBriefly(oldestOf(l))
	}
	if l.Calls.MaxRate > 0 {
		rate = cell{rateOf(l.Calls), plain}
	}
	if l.Calls.PerDay > 0 {
		left = number(l.Calls.Left)
		if l.Calls.Left == 0 {
			left.colour = red
		}
	}
	return []cell{
		{l.Customer, bold}, number(l.Express), number(l.Bulk), number(l.Active), number(l.Later), oldest, rate, left,
		{string(l.State), stateColours[l.State]},
	}
}

func oldestOf(l admin.Lane) time.Duration { return time.Duration(l.Oldest * float64(time.Second)) }

// rateOf formats the current and the allowed calls per second.
func rateOf(c admin.Calls) string {
	return strconv.FormatFloat(c.PerSecond, 'f', 1, 64) + "/" + strconv.FormatFloat(c.MaxRate, 'g', -1, 64)
}

// spanBriefly formats a duration by its largest unit; days also show hours.
func spanBriefly(d time.Duration) string {
	first, rest, two := strings.Cut(prose.Span(d), " ")
	if two && d >= 24*time.Hour {
		return first + " " + rest
	}
	return first
}

var laneTitles = []string{
	"customer", "state", "reason", "by", "why", "until", "waiting_express", "waiting_bulk", "active", "later", "next", "oldest_seconds",
	"calls_per_second", "allowed", "in_flight", "made_today", "by_others", "left_today", "per_day", "resets", "breakers", "connection",
}

func (r lanes) writeTabs(out io.Writer) error {
	var b strings.Builder
	b.WriteString(strings.Join(laneTitles, "\t") + "\n")
	for _, l := range r.Lanes {
		breakers := make([]string, 0, len(l.Breakers))
		for _, worker := range sortedKeys(l.Breakers) {
			breakers = append(breakers, worker+"="+l.Breakers[worker])
		}
		c := l.Calls
		b.WriteString(strings.Join([]string{
			l.Customer, string(l.State), string(l.Reason), prose.Printable(l.By), prose.Printable(l.Why), utc(l.Until),
			strconv.Itoa(l.Express), strconv.Itoa(l.Bulk), strconv.Itoa(l.Active), strconv.Itoa(l.Later), utc(l.Next), strconv.FormatFloat(l.Oldest, 'f', 0, 64),
			strconv.FormatFloat(c.PerSecond, 'f', 2, 64), strconv.FormatFloat(c.MaxRate, 'g', -1, 64), strconv.Itoa(c.InFlight),
			strconv.Itoa(c.Own), strconv.Itoa(c.Others), strconv.Itoa(c.Left), strconv.Itoa(c.PerDay), utc(c.Resets), strings.Join(breakers, " "), l.Connection,
		}, "\t") + "\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// utc formats a time for scripts; "" for the zero time.
func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// summary counts the states, and prints what affects all lanes.
func (r lanes) summary(p *process, onTerminal bool) {
	counts := map[admin.LaneState]int{}
	waiting := 0
	for _, l := range r.Lanes {
		counts[l.State]++
		waiting += l.Express + l.Bulk + l.Active + l.Later
	}
	text := "No customer has work, is paused or is blocked."
	if len(r.Lanes) > 0 {
		states := make([]string, 0, len(counts))
		for _, state := range admin.LaneStates() {
			if n := counts[state]; n > 0 {
				states = append(states, fmt.Sprintf("%s %s", prose.Grouped(n), state))
			}
		}
		text = fmt.Sprintf("%s: %s; %s.", prose.Plural(len(r.Lanes), "customer"), strings.Join(states, ", "), prose.Plural(waiting, "export"))
		if onTerminal {
			text = "\n" + text
		}
	}
	if r.Hidden > 0 {
		text += fmt.Sprintf(" %s more without work; --all shows them.", prose.Grouped(r.Hidden))
	}
	p.sayf("%s", text)
	printLoss(p, r.Loss)
	if r.Outage != nil {
		p.sayf("%s", r.Outage)
	}
}

// printLoss warns that Redis lost writes recently.
func printLoss(p *process, loss *store.Loss) {
	if loss != nil {
		p.sayf("Noticed %s: %s. %s", prose.When(loss.At), loss, loss.Remedy())
	}
}
