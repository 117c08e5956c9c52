package main

import (
	"context"
	"errors"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

type sessionsCommand struct {
	List sessionsListCommand `cmd:"" help:"List the open console sessions, and when each was last used."`
	End  sessionsEndCommand  `cmd:"" help:"End a console session. Its API key stays valid."`
}

type sessionsListCommand struct {
	Key  string `placeholder:"ID" help:"Only sessions of this API key."`
	JSON bool   `name:"json" help:"Print the list as one JSON array."`
}

// Run lists the sessions.
func (c *sessionsListCommand) Run(ctx context.Context, p *process) error {
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	all, err := o.Ledger.Access.Sessions(ctx, time.Now())
	if err != nil {
		return o.lost(err)
	}
	key := keyIDOf(c.Key)
	shown := []store.Session{}
	for _, s := range all {
		if key == "" || s.Key == key {
			shown = append(shown, s)
		}
	}
	if c.JSON {
		return writeJSON(p.stdout, shown)
	}
	if len(shown) == 0 {
		p.sayf("No open console sessions.")
		return nil
	}
	width, _ := terminal(p.stdout)
	t := table{out: p.stdout, style: style{p.colours(p.stdout)}, width: width}
	rows := [][]cell{header("session", "api key", "name", "address", "logged in", "last used", "ends at the latest")}
	for _, s := range shown {
		at := func(t time.Time) cell { return cell{t.Local().Format("2006-01-02 15:04"), plain} }
		rows = append(rows, []cell{{s.ID, plain}, {s.Key, plain}, {prose.Printable(s.Name), plain}, {s.Address, plain}, at(s.Began), at(s.Used), at(s.Until)})
	}
	return t.write(rows...)
}

type sessionsEndCommand struct {
	ID string `arg:"" help:"The session's ID, as sessions list shows it."`
	actor
}

// Run ends a session.
func (c *sessionsEndCommand) Run(ctx context.Context, p *process) error {
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	err = o.loggedIfPossible(ctx, &store.AuditLogEntry{What: "sessions end", Object: c.ID, Who: c.Who, Why: c.Why}, func() error {
		switch err := o.Ledger.Access.EndSession(ctx, c.ID); {
		case errors.Is(err, store.ErrNoSession):
			return usageError("no open session has that ID: icims-export sessions list shows the IDs")
		case err != nil:
			return o.lost(err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(p.stdout, struct {
			Session string `json:"session"`
			Ended   bool   `json:"ended"`
		}{c.ID, true})
	}
	p.sayf("Session %s has ended. Its API key stays valid: revoke it with icims-export apikeys revoke.", c.ID)
	return nil
}
