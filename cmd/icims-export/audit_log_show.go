package main

import (
	"context"
	"fmt"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

type journalCommand struct {
	Customer string `placeholder:"ID" help:"Only changes for this customer."`
	Who      string `placeholder:"NAME" help:"Only changes by this API key name or user@host."`
	What     string `placeholder:"NAME" help:"Only this action: a command such as \"connection edit\", or an operation of the API such as put-connection."`
	Since    string `placeholder:"TIME" help:"Only changes since: 24h or 7d ago, or a time such as 2026-11-22T15:04:05Z."`
	Limit    int    `default:"100" placeholder:"N" help:"Show at most the latest N entries."`
	JSON     bool   `name:"json" help:"Print one JSON object per line."`
}

// Run prints the audit log.
func (c *journalCommand) Run(ctx context.Context, p *process) error {
	switch {
	case c.Customer != "" && !input.ValidCustomer(c.Customer):
		return usageError("--customer must be an iCIMS customer id, digits only")
	case c.Limit < 1:
		return usageError("--limit must be a number of at least 1")
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	now, err := o.Ledger.Now(ctx)
	if err != nil {
		return o.lost(err)
	}
	since, err := parseSince(c.Since, now)
	if err != nil {
		return err
	}
	f := store.AuditLogFilter{Who: c.Who, What: c.What, Since: since}
	if c.Customer != "" {
		f.Customers = []string{c.Customer}
	}
	entries, err := o.journal(ctx, f, c.Limit)
	if err != nil {
		return o.lost(err)
	}
	if len(entries) == 0 && c.Customer != "" {
		if err := o.known(ctx, c.Customer); err != nil {
			return err
		}
	}
	removed, err := o.Ledger.AuditLog.Check(ctx)
	if err != nil {
		return o.lost(err)
	}
	for _, text := range removed {
		p.sayf("%s", text)
	}
	if c.JSON {
		for _, e := range entries {
			if err := writeJSON(p.stdout, e); err != nil {
				return err
			}
		}
		return nil
	}
	if len(entries) == 0 {
		p.sayf("No matching entries.")
		return nil
	}
	return writeJournal(p, entries)
}

// journal reads up to limit entries, latest first. Pages may be short.
func (o *operator) journal(ctx context.Context, f store.AuditLogFilter, limit int) ([]store.AuditLogEntry, error) {
	var entries []store.AuditLogEntry
	for {
		f.Limit = limit - len(entries)
		page, err := o.Ledger.AuditLog.Page(ctx, f)
		if err != nil {
			return nil, err
		}
		entries = append(entries, page.Entries...)
		if page.Next == "" || len(entries) >= limit {
			return entries, nil
		}
		f.Cursor = page.Next
	}
}

func writeJournal(p *process, entries []store.AuditLogEntry) error {
	width, onTerminal := terminal(p.stdout)
	rows := make([][]cell, 0, 1+len(entries))
	rows = append(rows, header("when", "who", "what", "outcome", "customer", "object", "why"))
	for _, e := range entries {
		when := utc(e.At)
		if onTerminal {
			when = prose.Moment(e.At)
		}
		who := prose.Printable(e.Who)
		if e.Key != "" {
			who += " (" + e.Key + ")"
		}
		outcome := cell{string(e.Outcome), outcomeColours[e.Outcome]}
		if e.Code != "" {
			outcome.text += fmt.Sprintf(" (%s)", e.Code)
		}
		rows = append(rows, []cell{{when, dim}, {who, plain}, {e.What, plain}, outcome, {e.Customer, plain}, {prose.Printable(e.Object), plain}, {prose.Printable(e.Why), plain}})
	}
	if !onTerminal {
		return writeTabLines(p.stdout, rows)
	}
	t := &table{out: p.stdout, style: style{p.colours(p.stdout)}, width: width}
	return t.write(rows...)
}

var outcomeColours = map[store.AuditLogOutcome]colour{
	store.JournalAsked: dim, store.JournalDone: green, store.JournalRefused: yellow, store.JournalFailed: red, store.JournalSealed: red,
}
