package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/store"
)

type lanesCommand struct {
	Customer string `arg:"" optional:"" help:"Show one customer in detail: calls, queues, batches, and what happened last."`
	All      bool   `help:"Also customers without work and without a reason to wait."`
	JSON     bool   `name:"json" help:"Print one JSON object."`
}

// laneLine is a customer as listed.
type laneLine struct {
	Customer string `json:"customer"`
	hold

	Express     int        `json:"waiting_express"`
	Bulk        int        `json:"waiting_bulk"`
	Active      int        `json:"active"`
	Later       int        `json:"later"`
	Next        time.Time  `json:"next,omitzero"` // of those that come back later
	Oldest      float64    `json:"oldest_seconds"`
	PausedInWeb []string   `json:"paused_in_web_ui,omitempty"` // which queues
	Calls       callsLine  `json:"calls"`
	LastGood    time.Time  `json:"last_good_call,omitzero"`
	Breakers    breakerMap `json:"breakers,omitempty"`
	Connection  string     `json:"connection,omitempty"` // what is wrong with it, as far as it is known here
}

// breakerMap are the breakers that are not closed, by worker.
type breakerMap map[string]string

// callsLine is what a customer has of calls. A customer that was never called has
// none, but will.
type callsLine struct {
	PerSecond   float64   `json:"per_second"` // lately
	MaxRate     float64   `json:"per_second_allowed"`
	InFlight    int       `json:"in_flight"`
	MaxInFlight int       `json:"in_flight_allowed"`
	PerDay      int       `json:"per_day"`
	Own         int       `json:"made_today"`
	Others      int       `json:"made_by_others_today"`
	Left        int       `json:"left_today"`
	Reserve     int       `json:"kept_for_small_batches"`
	Resets      time.Time `json:"resets,omitzero"`
}

// lanesResult is the JSON of the list.
type lanesResult struct {
	Lanes   []laneLine `json:"lanes"`
	Hidden  int        `json:"without_work"`
	Workers int        `json:"workers"`
}

// Run lists the customers, or shows one.
func (c *lanesCommand) Run(ctx context.Context, p *process) error {
	if c.Customer != "" && !store.ValidCustomer(c.Customer) {
		return misused("%q is no customer id of iCIMS: digits only", c.Customer)
	}
	o, closeRedis, err := openOperator(ctx, p, false)
	if err != nil {
		return err
	}
	defer closeRedis()
	if c.Customer != "" {
		return c.show(ctx, o)
	}
	r, err := c.read(ctx, o)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(p.stdout, r)
	}
	return r.print(p)
}

func (c *lanesCommand) read(ctx context.Context, o *operator) (lanesResult, error) {
	r := lanesResult{Lanes: []laneLine{}}
	customers, err := o.customers(ctx, "")
	if err != nil {
		return r, err
	}
	workers, err := readCrew(ctx, o.ledger)
	if err != nil {
		return r, o.lost(err)
	}
	r.Workers = workers.count()
	usable := o.p.usable()
	for customer := range usable {
		customers = append(customers, customer)
	}
	slices.SortFunc(customers, byCustomer)
	customers = slices.Compact(customers)
	for page := range slices.Chunk(customers, pageSize) {
		places, err := readPlaces(ctx, o.redis, o.ledger, page...)
		if err != nil {
			return r, o.lost(err)
		}
		have, err := stored(ctx, o.ledger, page...)
		if err != nil {
			return r, o.lost(err)
		}
		for i, at := range places {
			if !c.All && at.hold.State == laneIdle {
				r.Hidden++
				continue
			}
			l := at.line(page[i])
			l.Connection = connectionNote(page[i], workers, usable, have)
			r.Lanes = append(r.Lanes, l)
		}
	}
	return r, nil
}

// connectionNote says what is wrong with a customer's connection, as far as the
// workers say so, or the file here and the store tell.
func connectionNote(customer string, workers crew, usable, have map[string]bool) string {
	switch {
	case workers.refuse(customer):
		return "no worker has a usable one"
	case usable != nil && !usable[customer] && !have[customer]:
		return "none usable here"
	}
	return ""
}

// byCustomer orders ids as the numbers that they are.
func byCustomer(x, y string) int { return cmp.Or(len(x)-len(y), strings.Compare(x, y)) }

// usable are the customers that have a usable connection; nil where no file of
// connections can be read.
func (p *process) usable() map[string]bool {
	hosts, err := hostPolicy(p.settings)
	if err != nil || p.settings.Connections == "" {
		return nil
	}
	conns, err := readConnections(p.settings, hosts, p.lookupEnv)
	if err != nil {
		return nil
	}
	usable := make(map[string]bool, len(conns.usable))
	for _, conn := range conns.usable {
		usable[conn.Customer] = true
	}
	return usable
}

func (at place) line(customer string) laneLine {
	s, q := at.standing, at.queues
	l := laneLine{
		Customer: customer, hold: at.hold,
		Express: q.Express.Pending, Bulk: q.Bulk.Pending, Active: q.Express.Active + q.Bulk.Active, Later: q.Express.Later() + q.Bulk.Later(),
		Next:   q.Bulk.Next,
		Oldest: max(q.Express.Oldest, q.Bulk.Oldest).Round(time.Millisecond).Seconds(),
		Calls: callsLine{
			PerSecond: s.Rate, MaxRate: s.CallsPerSecond, InFlight: s.InFlight, MaxInFlight: s.MaxInFlight,
			PerDay: s.Budget, Own: s.Own, Others: s.Others, Left: s.Left, Reserve: s.Reserve, Resets: s.WindowEnd.UTC(),
		},
		LastGood: s.LastGood,
	}
	if e := q.Express.Next; !e.IsZero() && (l.Next.IsZero() || e.Before(l.Next)) {
		l.Next = e
	}
	if q.Express.Paused {
		l.PausedInWeb = append(l.PausedInWeb, "express")
	}
	if q.Bulk.Paused {
		l.PausedInWeb = append(l.PausedInWeb, "bulk")
	}
	if len(s.Breakers) > 0 {
		l.Breakers = s.Breakers
	}
	return l
}

// print writes the list: aligned on a terminal, separated by tabs elsewhere.
func (r lanesResult) print(p *process) error {
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

func (r lanesResult) writeTable(out io.Writer, s style, width int) error {
	right := map[int]bool{}
	for i := 1; i <= 7; i++ {
		right[i] = true
	}
	t := table{out: out, style: s, width: width, right: right}
	rows := make([][]cell, len(r.Lanes))
	titles := header("customer", "express", "bulk", "active", "later", "oldest", "calls/s", "left today", "state")
	t.measure(titles)
	for i, l := range r.Lanes {
		rows[i] = l.cells()
		t.measure(rows[i])
	}
	if err := t.print(titles); err != nil {
		return err
	}
	for i, row := range rows {
		if err := t.print(row); err != nil {
			return err
		}
		for _, note := range r.Lanes[i].notes() {
			hang(out, width, "  → ", note)
		}
	}
	return nil
}

// notes are what does not fit into the columns.
func (l laneLine) notes() []string {
	var notes []string
	if l.keeps() {
		notes = append(notes, l.told())
	}
	if l.State == laneLater && !l.Next.IsZero() {
		notes = append(notes, "the next one "+l.next())
	}
	if l.Connection != "" {
		notes = append(notes, "connection: "+l.Connection)
	}
	return notes
}

func (l laneLine) cells() []cell {
	number := func(n int) cell {
		if n == 0 {
			return cell{"0", dim}
		}
		return cell{grouped(n), plain}
	}
	oldest, rate, left := cell{}, cell{}, cell{}
	if l.Oldest > 0 {
		oldest.text = spanBriefly(l.oldest())
	}
	if l.Calls.MaxRate > 0 {
		rate = cell{l.Calls.rate(), plain}
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

func (l laneLine) oldest() time.Duration { return time.Duration(l.Oldest * float64(time.Second)) }

// rate is calls a second made and allowed.
func (c callsLine) rate() string {
	return strconv.FormatFloat(c.PerSecond, 'f', 1, 64) + "/" + strconv.FormatFloat(c.MaxRate, 'g', -1, 64)
}

// spanBriefly renders a duration by its largest unit, and the next where it is
// days.
func spanBriefly(d time.Duration) string {
	first, rest, two := strings.Cut(span(d), " ")
	if two && d >= 24*time.Hour {
		return first + " " + rest
	}
	return first
}

var laneTitles = []string{
	"customer", "state", "reason", "by", "why", "until", "waiting_express", "waiting_bulk", "active", "later", "next", "oldest_seconds",
	"calls_per_second", "allowed", "in_flight", "made_today", "by_others", "left_today", "per_day", "resets", "breakers", "connection",
}

func (r lanesResult) writeTabs(out io.Writer) error {
	var b strings.Builder
	b.WriteString(strings.Join(laneTitles, "\t") + "\n")
	for _, l := range r.Lanes {
		breakers := make([]string, 0, len(l.Breakers))
		for _, worker := range sortedKeys(l.Breakers) {
			breakers = append(breakers, worker+"="+l.Breakers[worker])
		}
		c := l.Calls
		b.WriteString(strings.Join([]string{
			l.Customer, string(l.State), string(l.Reason), printable(l.By), printable(l.Why), utc(l.Until),
			strconv.Itoa(l.Express), strconv.Itoa(l.Bulk), strconv.Itoa(l.Active), strconv.Itoa(l.Later), utc(l.Next), strconv.FormatFloat(l.Oldest, 'f', 0, 64),
			strconv.FormatFloat(c.PerSecond, 'f', 2, 64), strconv.FormatFloat(c.MaxRate, 'g', -1, 64), strconv.Itoa(c.InFlight),
			strconv.Itoa(c.Own), strconv.Itoa(c.Others), strconv.Itoa(c.Left), strconv.Itoa(c.PerDay), utc(c.Resets), strings.Join(breakers, " "), l.Connection,
		}, "\t") + "\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// utc renders a time for programs; nothing for none.
func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// summary counts the states, and says what is wrong with the whole.
func (r lanesResult) summary(p *process, onTerminal bool) {
	counts := map[laneState]int{}
	waiting := 0
	for _, l := range r.Lanes {
		counts[l.State]++
		waiting += l.Express + l.Bulk + l.Active + l.Later
	}
	text := "No customer has work, and none is paused or closed."
	if len(r.Lanes) > 0 {
		states := make([]string, 0, len(counts))
		for _, state := range []laneState{laneOpen, laneWaiting, laneLater, lanePaused, laneClosed, laneFailing, laneIdle} {
			if n := counts[state]; n > 0 {
				states = append(states, fmt.Sprintf("%s %s", grouped(n), state))
			}
		}
		text = fmt.Sprintf("%s: %s; %s.", plural(len(r.Lanes), "customer"), strings.Join(states, ", "), plural(waiting, "export"))
		if onTerminal {
			text = "\n" + text
		}
	}
	if r.Hidden > 0 {
		text += fmt.Sprintf(" %s more without work; --all shows them.", grouped(r.Hidden))
	}
	p.sayf("%s", text)
	if r.Workers == 0 {
		p.sayf("No worker has been heard of lately: start one (icims-export worker).")
	}
}
