package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// laneOrder are the flags that pause and resume share.
type laneOrder struct {
	Customer string `arg:"" help:"iCIMS's customer id."`
	Why      string `placeholder:"TEXT" help:"Reason, recorded in the audit log."`
	Who      string `placeholder:"NAME" help:"Who does it. Default: user@host."`
	JSON     bool   `name:"json" help:"Print the result as one JSON object."`
}

type pauseCommand struct {
	laneOrder

	Until string `placeholder:"TIME" help:"End of the pause: a duration such as 2h or 3d, a time today such as 18:30, or a time such as 2026-11-22T18:30:00Z. Default: until resumed."`
}

type resumeCommand struct{ laneOrder }

func (c *laneOrder) check() error {
	if !input.ValidCustomer(c.Customer) {
		return usageError("%q is not an iCIMS customer id: digits only", c.Customer)
	}
	if strings.TrimSpace(c.Why) == "" {
		return usageError("give a reason with --why; the audit log records it, and icims-export lanes shows it")
	}
	return nil
}

// Run pauses the customer's exports.
func (c *pauseCommand) Run(ctx context.Context, p *process) error {
	if err := c.check(); err != nil {
		return err
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	// Pauses use Redis's clock, which all workers share.
	now, err := o.Ledger.Now(ctx)
	if err != nil {
		return o.lost(err)
	}
	end, err := parseUntil(c.Until, now)
	if err != nil {
		return err
	}
	var r admin.Paused
	err = o.logged(ctx, &store.AuditLogEntry{What: "pause", Customer: c.Customer, Who: c.Who, Why: c.Why}, func() (err error) {
		r, err = o.Lanes.Pause(ctx, c.Customer, store.Pause{By: whoIs(c.Who), Why: c.Why, At: now, Until: end})
		return err
	})
	if err != nil {
		return o.pauseFailed(err, "is paused", c.Customer)
	}
	if c.JSON {
		return writeJSON(p.stdout, r)
	}
	width, _ := terminal(p.stdout)
	text := fmt.Sprintf("Customer %s is paused %s.", c.Customer, prose.Until(end, "until resumed"))
	if r.Before != nil {
		text += fmt.Sprintf(" This replaces the pause by %s, %s.", prose.Printable(r.Before.By), prose.Until(r.Before.Until, "which had no end"))
	}
	text += fmt.Sprintf(" Exports that are making calls finish; %s and new ones keep their places in the queue.", waitingText(r))
	hang(p.stdout, width, "", text)
	if r.Warning != "" {
		hang(p.stdout, width, "! ", r.Warning)
	}
	fmt.Fprintf(p.stdout, "icims-export resume %s --why \"...\"\n", c.Customer)
	return nil
}

// pauseFailed explains why a pause or resume failed.
func (o *operator) pauseFailed(err error, what, customer string) error {
	if unknown, ok := errors.AsType[*admin.PauseUnknownError](err); ok {
		return failed("cannot tell whether the customer %s. %s Check with: icims-export lanes %s", what, causeOf(unknown.Err), customer)
	}
	return o.actFailed(err)
}

func waitingText(r admin.Paused) string {
	if r.Waiting == 1 {
		return "the waiting export"
	}
	return "the " + prose.Grouped(r.Waiting) + " that wait"
}

// Run resumes the customer's exports.
func (c *resumeCommand) Run(ctx context.Context, p *process) error {
	if err := c.check(); err != nil {
		return err
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	var r admin.Paused
	err = o.logged(ctx, &store.AuditLogEntry{What: "resume", Customer: c.Customer, Who: c.Who, Why: c.Why}, func() (err error) {
		r, err = o.Lanes.Resume(ctx, c.Customer, whoIs(c.Who), c.Why)
		return err
	})
	if err != nil {
		return o.pauseFailed(err, "has been resumed", c.Customer)
	}
	if c.JSON {
		return writeJSON(p.stdout, r)
	}
	width, _ := terminal(p.stdout)
	hang(p.stdout, width, "", resumption(r))
	return nil
}

func resumption(r admin.Paused) string {
	ended := make([]string, 0, 2)
	if b := r.Before; b != nil {
		text := "the pause by " + prose.Printable(b.By)
		if b.Why != "" {
			text += fmt.Sprintf(" (“%s”)", prose.Printable(b.Why))
		}
		ended = append(ended, text)
	}
	if len(r.WebUI) > 0 {
		ended = append(ended, "the pause in "+admin.WebUI)
	}
	text := fmt.Sprintf("Customer %s was not paused.", r.Customer)
	if len(ended) > 0 {
		text = fmt.Sprintf("Customer %s is resumed: %s ended. Workers process %s as fast as its limits allow.", r.Customer, strings.Join(ended, " and "), waitingText(r))
	}
	if r.Hold.Keeps() {
		text += " But: " + r.Hold.Text(prose.Clock{}) + ". " + r.Hold.Reason.Info().Hint
	}
	return text
}

// parseUntil parses when a pause ends.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, ok := readUntil(text, now)
	switch {
	case !ok:
		return at, usageError("--until %q is not a time: use a duration such as 2h or 3d, a time today such as 18:30, or a time such as 2026-11-22T18:30:00Z", text)
	case !at.After(now):
		return at, usageError("--until %s is in the past: use a future time such as %s, or omit it to pause until resumed",
			text, now.Add(2*time.Hour).Local().Truncate(time.Minute).Format(time.RFC3339))
	}
	return at, nil
}

func readUntil(text string, now time.Time) (time.Time, bool) {
	if span, err := time.ParseDuration(text); err == nil {
		return now.Add(span), true
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if span, err := time.ParseDuration(days + "h"); err == nil {
			return now.Add(24 * span), true
		}
	}
	local := now.Local()
	if clock, err := time.Parse("15:04", text); err == nil {
		return time.Date(local.Year(), local.Month(), local.Day(), clock.Hour(), clock.Minute(), 0, 0, local.Location()), true
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, local.Location()); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
