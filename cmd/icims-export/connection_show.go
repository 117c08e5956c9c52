package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// connectionView prints a connection.
type connectionView struct{ admin.ConnectionView }

type connectionListCommand struct {
	All  bool `help:"Include removed connections."`
	JSON bool `name:"json" help:"Print one JSON object per line."`
}

// Run lists the connections.
func (c *connectionListCommand) Run(ctx context.Context, p *process) error {
	hosts, err := hostPolicy(p.settings)
	if err != nil {
		return err
	}
	o, closeRedis, err := openOperator(ctx, p, false)
	if err != nil {
		return err
	}
	defer closeRedis()
	all, err := o.Ledger.Connections.All(ctx)
	unread, _ := errors.AsType[*store.UnreadError](err)
	if err != nil && (unread == nil || len(all) == 0) {
		return o.lost(err)
	}
	if err := c.write(p, all, hosts); err != nil || unread == nil {
		return err
	}
	return failed("%d more cannot be read. %s", len(unread.Customers), causeOf(err))
}

func (c *connectionListCommand) write(p *process, all []store.StoredConnection, hosts icims.HostPolicy) error {
	rows, n := [][]cell{header("customer", "state", "since", "region", "auth", "username", "portals", "revision", "problem")}, 0
	for _, stored := range all {
		if !c.All && !stored.Below().Kept() {
			continue
		}
		n++
		v := connectionView{admin.ViewConnection(stored, hosts)}
		if c.JSON {
			if err := writeJSON(p.stdout, v); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, v.row())
	}
	if c.JSON {
		return nil
	}
	if n == 0 {
		p.sayf("No stored connections. Add one with icims-export connection add. Connections of the connections file are not listed.")
		return nil
	}
	width, onTerminal := terminal(p.stdout)
	if !onTerminal {
		return writeTabLines(p.stdout, rows)
	}
	t := &table{out: p.stdout, style: style{p.colours(p.stdout)}, width: width, right: map[int]bool{0: true, 6: true, 7: true}}
	return t.write(rows...)
}

func writeTabLines(out io.Writer, rows [][]cell) error {
	for _, row := range rows {
		texts := make([]string, len(row))
		for i, c := range row {
			texts[i] = c.text
		}
		if _, err := fmt.Fprintln(out, strings.Join(texts, "\t")); err != nil {
			return err
		}
	}
	return nil
}

func (v connectionView) row() []cell {
	since := ""
	if !v.Since.IsZero() {
		since = v.Since.Local().Format("2006-01-02 15:04")
	}
	auth, portals, problem := "", "", v.Problem
	if v.Region != "" {
		auth, portals = string(v.WithDefaults().Auth), strconv.Itoa(len(v.Portals))
	}
	if v.Sealed {
		problem = "sealed with another keyset"
	}
	if v.Reason != "" && problem == "" {
		problem = v.Reason.Info().Title
	}
	row := cells(v.Customer, string(v.State), since, v.Region, auth, v.Username, portals, strconv.FormatInt(v.Revision, 10), problem)
	row[1].colour = colourOf(v.State)
	return row
}

func colourOf(s store.ConnectionState) colour {
	switch s {
	case store.ConnectionConnected:
		return green
	case store.CredentialsRejected, store.AccessDenied:
		return red
	case store.ConnectionDegraded, store.ConnectionPaused:
		return yellow
	default:
		return plain
	}
}

type connectionShowCommand struct {
	Customer string `arg:"" help:"iCIMS's customer id."`
	JSON     bool   `name:"json" help:"Print one JSON object."`
}

// Run shows a connection.
func (c *connectionShowCommand) Run(ctx context.Context, p *process) error {
	if err := customerOf(c.Customer); err != nil {
		return err
	}
	hosts, err := hostPolicy(p.settings)
	if err != nil {
		return err
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	stored, err := o.Ledger.Connections.Get(ctx, c.Customer)
	if errors.Is(err, store.ErrNoConnection) {
		return failed("customer %s has no stored connection: add one with icims-export connection add", c.Customer)
	}
	if err != nil && !errors.Is(err, store.ErrSealed) {
		return o.lost(err)
	}
	v := connectionView{admin.ViewConnection(stored, hosts)}
	if v.History, err = o.Ledger.Connections.History(ctx, c.Customer); err != nil {
		return o.lost(err)
	}
	if c.JSON {
		return writeJSON(p.stdout, v)
	}
	return v.write(p, p.settings)
}

func (v connectionView) write(p *process, s config.Settings) error {
	width, _ := terminal(p.stdout)
	paint := style{p.colours(p.stdout)}
	fmt.Fprintf(p.stdout, "The connection of customer %s is %s since %s: revision %d.\n", v.Customer, paint.paint(colourOf(v.State), string(v.State)), v.Since.Local().Format(time.DateTime), v.Revision)
	if info := v.Reason.Info(); v.Reason != "" {
		hang(p.stdout, width, "  ", prose.Sentence(info.Title)+" → "+info.Hint)
	}
	if v.Pause != nil {
		hang(p.stdout, width, "  ", fmt.Sprintf("Paused by %s: “%s”. Without the pause it is %s.", prose.Printable(v.Pause.By), prose.Printable(v.Pause.Why), v.Below()))
	}
	if v.Problem != "" {
		hang(p.stdout, width, "  ", "Unusable: "+v.Problem)
	}
	if v.Sealed {
		hang(p.stdout, width, "  ", "This keyset does not open its settings: run icims-export keys status.")
	}
	if v.Region != "" {
		if err := v.settings(p, paint, s); err != nil {
			return err
		}
	}
	if v.Region != "" {
		fmt.Fprintln(p.stdout, "\nThe customer's iCIMS:")
		for _, f := range v.Profile.Findings() {
			hang(p.stdout, width, "  • ", f.Means)
		}
	}
	fmt.Fprintln(p.stdout, "\nHistory, latest first:")
	for _, e := range v.History {
		hang(p.stdout, width, "  • ", happened(e))
	}
	return nil
}

// settings prints the settings. Those that are not set show their default.
func (v connectionView) settings(p *process, paint style, s config.Settings) error {
	t := &table{out: p.stdout, style: paint, indent: 2}
	rows := [][]cell{cells("region", v.Region), cells("password", "set (hidden)")}
	given := map[string]bool{}
	v.Settings(func(name, _ string) { given[name] = true })
	use := v.WithDefaults()
	if use.DummyDomain == "" {
		use.DummyDomain = s.DummyEmailDomain
	}
	use.Settings(func(name, value string) {
		switch {
		case name == "customer":
		case name == "portal_urls":
			for i, portal := range v.Portals {
				label := "portal_urls"
				if i > 0 {
					label = ""
				}
				rows = append(rows, cells(label, portal))
			}
		case given[name]:
			rows = append(rows, cells(name, prose.Printable(value)+unitOf(name)))
		default:
			row := cells(name, value+unitOf(name)+" (default)")
			row[1].colour = dim
			rows = append(rows, row)
		}
	})
	return t.write(rows...)
}

// unitOf returns the unit of a setting whose name does not say it.
func unitOf(name string) string {
	return map[string]string{
		"limits.burst": " calls", "limits.in_flight": " calls", "limits.express_reserve": "% of the day's calls, reserved for small batches",
	}[name]
}

// happened describes an event of a connection's history.
func happened(e store.ConnectionEvent) string {
	if e.What == "sealed" {
		return "sealed with another keyset"
	}
	text := fmt.Sprintf("%s %s %s it", e.At.Local().Format(time.DateTime), prose.Printable(e.Who), e.What)
	switch {
	case e.What == "moved":
		text = fmt.Sprintf("%s %s found it %s", e.At.Local().Format(time.DateTime), prose.Printable(e.Who), e.To)
	case len(e.Settings) > 0:
		text += " (" + strings.Join(slices.Clone(e.Settings), ", ") + ")"
	}
	if e.From != e.To && e.From != store.ConnectionAbsent && e.What != "moved" {
		text += fmt.Sprintf(", %s before and %s since", e.From, e.To)
	}
	if e.Reason != "" {
		text += ": " + e.Reason.Info().Title
	}
	if e.Why != "" {
		text += ": “" + prose.Printable(e.Why) + "”"
	}
	return text
}
