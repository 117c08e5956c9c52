package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// laneOrder is what pause and resume have in common.
type laneOrder struct {
	Customer string `arg:"" help:"iCIMS's customer id."`
	Why      string `placeholder:"TEXT" help:"Why it is done; recorded with who did it, and when."`
	Who      string `placeholder:"NAME" help:"Who does it; user@host without."`
	JSON     bool   `name:"json" help:"Print the result as one JSON object."`
}

type pauseCommand struct {
	laneOrder

	Until string `placeholder:"TIME" help:"When it goes on by itself: a span such as 2h or 3d, a time of this day such as 18:30, or a time such as 2026-11-22T18:30:00Z. Without it: when somebody resumes."`
}

type resumeCommand struct{ laneOrder }

func (c *laneOrder) check() error {
	if !store.ValidCustomer(c.Customer) {
		return misused("%q is no customer id of iCIMS: digits only", c.Customer)
	}
	if strings.TrimSpace(c.Why) == "" {
		return misused("say why with --why: it is recorded with who did it, and shown to whoever wonders")
	}
	return nil
}

// paused is the result of a pause or a resumption.
type paused struct {
	Customer string       `json:"customer"`
	Pause    *store.Pause `json:"pause,omitempty"`
	Before   *store.Pause `json:"before,omitempty"`            // the pause that it replaces or ends
	WebUI    []string     `json:"resumed_in_web_ui,omitempty"` // queues that were paused there
	Waiting  int          `json:"waiting"`                     // exports
	Hold     hold         `json:"now"`                         // how it stands now
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
	// Pauses go by Redis's clock, which all workers share.
	now, err := o.ledger.Now(ctx)
	if err != nil {
		return o.lost(err)
	}
	end, err := parseUntil(c.Until, now)
	if err != nil {
		return err
	}
	r := paused{Customer: c.Customer}
	if r.Before, err = o.ledger.PauseOf(ctx, c.Customer); err != nil {
		return o.lost(err)
	}
	r.Pause = &store.Pause{By: whoIs(c.Who), Why: c.Why, At: now, Until: end}
	if err := o.ledger.Pause(ctx, c.Customer, *r.Pause); err != nil {
		return failed("whether the customer is paused is not known (%s): see icims-export lanes %s", rootCause(err), c.Customer)
	}
	if err := r.look(ctx, o); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(p.stdout, r)
	}
	width, _ := terminal(p.stdout)
	text := fmt.Sprintf("Customer %s is paused %s.", c.Customer, until(end, "until somebody resumes"))
	if r.Before != nil {
		text += fmt.Sprintf(" This takes the place of the pause by %s, %s.", printable(r.Before.By), until(r.Before.Until, "which had no end"))
	}
	text += fmt.Sprintf(" Exports in the middle of their calls finish; %s and all that come keep their places.", r.waiting())
	hang(p.stdout, width, "", text)
	fmt.Fprintf(p.stdout, "icims-export resume %s --why \"...\"\n", c.Customer)
	return nil
}

// look reads how many exports wait, and how it stands now.
func (r *paused) look(ctx context.Context, o *operator) error {
	places, err := readPlaces(ctx, o.redis, o.ledger, r.Customer)
	if err != nil {
		return o.lost(err)
	}
	q := places[0].queues
	r.Waiting, r.Hold = q.Bulk.Pending+q.Bulk.Later()+q.Express.Pending+q.Express.Later(), places[0].hold
	return nil
}

func (r paused) waiting() string {
	if r.Waiting == 1 {
		return "the 1 that waits"
	}
	return "the " + grouped(r.Waiting) + " that wait"
}

// Run sets the customer's exports going again, whoever paused them.
func (c *resumeCommand) Run(ctx context.Context, p *process) error {
	if err := c.check(); err != nil {
		return err
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	r := paused{Customer: c.Customer}
	if r.Before, err = o.ledger.PauseOf(ctx, c.Customer); err != nil {
		return o.lost(err)
	}
	who := whoIs(c.Who)
	unknown := func(err error) error {
		return failed("whether the customer has been resumed is not known (%s): see icims-export lanes %s", rootCause(err), c.Customer)
	}
	if _, err := o.ledger.Resume(ctx, c.Customer, who, c.Why); err != nil {
		return unknown(err)
	}
	if r.WebUI, err = o.resumeWebUI(ctx, c.Customer, who, c.Why); err != nil {
		return unknown(err)
	}
	if err := r.look(ctx, o); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(p.stdout, r)
	}
	width, _ := terminal(p.stdout)
	hang(p.stdout, width, "", r.resumption())
	return nil
}

// resumeWebUI ends asynq's own pauses, which keep a customer's exports as well.
func (o *operator) resumeWebUI(ctx context.Context, customer, who, why string) ([]string, error) {
	states, err := tasks.ReadQueueStates(ctx, o.redis, customer)
	if err != nil {
		return nil, err
	}
	inspector := asynq.NewInspectorFromRedisClient(o.redis)
	var resumed []string
	for _, q := range []struct {
		name, queue string
		paused      bool
	}{
		{"express", tasks.ExpressQueue(customer), states[0].Express.Paused}, {"bulk", tasks.BulkQueue(customer), states[0].Bulk.Paused},
	} {
		if !q.paused {
			continue
		}
		if err := inspector.UnpauseQueue(q.queue); err != nil {
			return resumed, err
		}
		resumed = append(resumed, q.name)
	}
	if len(resumed) == 0 {
		return nil, nil
	}
	action := store.Action{At: time.Now(), Who: who, What: "resumed what was paused in " + webUI, Why: why}
	return resumed, errors.Join(o.ledger.Act(ctx, customer, action), o.ledger.Hasten(ctx, customer))
}

func (r paused) resumption() string {
	ended := make([]string, 0, 2)
	if b := r.Before; b != nil {
		text := "the pause by " + printable(b.By)
		if b.Why != "" {
			text += fmt.Sprintf(" (“%s”)", printable(b.Why))
		}
		ended = append(ended, text)
	}
	if len(r.WebUI) > 0 {
		ended = append(ended, "the pause in "+webUI)
	}
	text := fmt.Sprintf("Customer %s was not paused.", r.Customer)
	if len(ended) > 0 {
		text = fmt.Sprintf("Customer %s goes on: %s is over; %s are taken up as fast as its limits allow.", r.Customer, strings.Join(ended, " and "), r.waiting())
	}
	if r.Hold.keeps() {
		text += " But: " + r.Hold.text() + ". " + r.Hold.Reason.Info().Hint
	}
	return text
}

// parseUntil reads when a pause ends.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, ok := readUntil(text, now)
	switch {
	case !ok:
		return at, misused("--until %q is no time: write a span such as 2h or 3d, a time of this day such as 18:30, or a time such as 2026-11-22T18:30:00Z", text)
	case !at.After(now):
		return at, misused("--until %s is over: write a time to come, such as %s, or leave it out to pause until somebody resumes",
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
