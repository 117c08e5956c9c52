package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seekout/icims-export/store"
)

type connectionRemoveCommand struct {
	Customer string        `arg:"" help:"iCIMS's customer id."`
	Exports  string        `enum:"keep,cancel" default:"keep" help:"What becomes of exports that wait: keep, until there is a connection again, or cancel."`
	Markers  string        `enum:"keep,erase" default:"keep" help:"Who was exported before: keep, or erase, so that they would be sent again."`
	Revision int64         `placeholder:"N" help:"Only if it still has this revision."`
	DryRun   bool          `help:"Only tell what would be done."`
	Patience time.Duration `default:"15s" placeholder:"DURATION" help:"How long to wait for exports that are in the middle of a call."`
	whoAndWhy
}

// removal is what was done.
type removal struct {
	Customer string              `json:"customer"`
	DryRun   bool                `json:"dry_run,omitempty"`
	Waiting  int64               `json:"waiting"` // exports that are kept
	Exports  *store.Cancellation `json:"exports,omitempty"`
	Markers  *int                `json:"markers_erased,omitempty"`
}

// Run removes a connection.
func (c *connectionRemoveCommand) Run(ctx context.Context, p *process) error {
	if err := customerOf(c.Customer); err != nil {
		return err
	}
	if strings.TrimSpace(c.Why) == "" && !c.DryRun {
		return misused("say why with --why: it is recorded with who did it")
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	r := removal{Customer: c.Customer, DryRun: c.DryRun}
	if err := c.remove(ctx, o); err != nil {
		return err
	}
	// Whatever fails from here on can be given again with cancel, or by removing anew.
	if c.Exports == "cancel" {
		options := store.CancelOptions{Who: whoIs(c.Who), Why: c.Why, DryRun: c.DryRun}
		done, err := o.cancel(ctx, "", c.Customer, options, c.Patience)
		if err != nil {
			return err
		}
		r.Exports = &done
	}
	if c.Markers == "erase" && !c.DryRun {
		n, err := o.eraseMarkers(ctx, c.Customer, whoIs(c.Who), c.Why)
		if err != nil {
			return err
		}
		r.Markers = &n
	}
	if r.Waiting, err = o.ledger.Live(ctx, c.Customer); err != nil {
		return o.lost(err)
	}
	if c.JSON {
		return writeJSON(p.stdout, r)
	}
	r.write(p)
	return nil
}

// remove erases the settings. One that is removed already is no error, so that a
// command that broke off can be given again.
func (c *connectionRemoveCommand) remove(ctx context.Context, o *operator) error {
	before, err := o.ledger.Connection(ctx, c.Customer)
	switch {
	case errors.Is(err, store.ErrNoConnection):
		return failed("the store has no connection of customer %s; one of the file of connections is removed there", c.Customer)
	case err != nil && !errors.Is(err, store.ErrSealed):
		return o.lost(err)
	case !before.Below().Kept() || c.DryRun:
		return nil
	}
	err = o.ledger.RemoveConnection(ctx, c.Customer, c.Revision, whoIs(c.Who), c.Why)
	if changed, ok := errors.AsType[*store.ConnectionChangedError](err); ok {
		return changedMeanwhile(changed)
	}
	if err != nil {
		return o.lost(err)
	}
	return nil
}

func (o *operator) eraseMarkers(ctx context.Context, customer, who, why string) (int, error) {
	n, err := o.ledger.EraseMarkers(ctx, customer)
	if err == nil {
		err = o.ledger.Act(context.WithoutCancel(ctx), customer, store.Action{At: time.Now(), Who: who, What: "erased who was exported", Why: why, Count: n})
	}
	if err != nil {
		return n, failed("it broke off while markers were erased (%s): give the command again to go on", rootCause(err))
	}
	return n, nil
}

func (r removal) write(p *process) {
	width, _ := terminal(p.stdout)
	say := func(format string, args ...any) { hang(p.stdout, width, "", fmt.Sprintf(format, args...)) }
	if r.DryRun {
		say("The connection of customer %s would be removed; nothing was done.", r.Customer)
	} else {
		say("The connection of customer %s is removed; its history stays. Workers let go of it within seconds.", r.Customer)
	}
	verb := map[bool]string{false: "cancelled", true: "would be cancelled"}[r.DryRun]
	if r.Exports != nil {
		say("%s %s; %s in the middle of their calls.", plural(r.Exports.Cancelled, "export"), verb, grouped(r.Exports.Busy))
	}
	if r.Markers != nil {
		say("%s erased: these candidates would be sent again.", plural(*r.Markers, "marker"))
	}
	if r.Waiting > 0 && !r.DryRun {
		say("%s and go on when the customer has a connection again.", plural(int(r.Waiting), "export")+" wait")
	}
}
