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
)

type connectionRemoveCommand struct {
	Customer string        `arg:"" help:"iCIMS's customer id."`
	Exports  string        `enum:"keep,cancel" default:"keep" help:"Waiting exports: keep them for a new connection, or cancel them."`
	Markers  string        `enum:"keep,erase" default:"keep" help:"Success markers of exported candidates: keep, or erase so that candidates can be sent again."`
	Revision int64         `placeholder:"N" help:"Only if the connection still has this revision."`
	DryRun   bool          `help:"Only show what would be done."`
	Patience time.Duration `default:"15s" placeholder:"DURATION" help:"How long to wait for exports that are making a call."`
	actor
}

// Run removes a connection.
func (c *connectionRemoveCommand) Run(ctx context.Context, p *process) error {
	if err := customerOf(c.Customer); err != nil {
		return err
	}
	if strings.TrimSpace(c.Why) == "" && !c.DryRun {
		return usageError("give a reason with --why; the audit log records it")
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	var r admin.Removal
	remove := func() (err error) {
		r, err = o.Connections.Remove(ctx, c.Customer, admin.RemovalOrder{
			Who: whoIs(c.Who), Why: c.Why, Revision: c.Revision, CancelExports: c.Exports == "cancel", EraseMarkers: c.Markers == "erase", Patience: c.Patience, DryRun: c.DryRun,
		})
		return err
	}
	if c.DryRun {
		err = remove()
	} else {
		err = o.logged(ctx, &store.AuditLogEntry{What: "connection remove", Customer: c.Customer, Who: c.Who, Why: c.Why}, remove)
	}
	if err != nil {
		return o.removeFailed(err, c.Customer)
	}
	if c.JSON {
		return writeJSON(p.stdout, r)
	}
	writeRemoval(p, r)
	return nil
}

// removeFailed explains an incomplete removal, which can be repeated.
func (o *operator) removeFailed(err error, customer string) error {
	if changed, ok := errors.AsType[*store.ConnectionChangedError](err); ok {
		return changedMeanwhile(changed)
	}
	if errors.Is(err, store.ErrNoConnection) {
		return failed("customer %s has no stored connection; remove a connection of the connections file there", customer)
	}
	return o.actFailed(err)
}

func writeRemoval(p *process, r admin.Removal) {
	width, _ := terminal(p.stdout)
	say := func(format string, args ...any) { hang(p.stdout, width, "", fmt.Sprintf(format, args...)) }
	if r.DryRun {
		say("Would remove the connection of customer %s. Nothing was changed.", r.Customer)
	} else {
		say("Removed the connection of customer %s. Its history stays. Workers stop using it within seconds.", r.Customer)
	}
	verb := map[bool]string{false: "canceled", true: "would be canceled"}[r.DryRun]
	if r.Exports != nil {
		say("%s %s; %s are making calls.", prose.Plural(r.Exports.Cancelled, "export"), verb, prose.Grouped(r.Exports.Busy))
	}
	if r.Markers != nil {
		say("%s erased: these candidates can be sent again.", prose.Plural(*r.Markers, "marker"))
	}
	if r.Waiting > 0 && !r.DryRun {
		say("%s until the customer has a connection again.", prose.Plural(int(r.Waiting), "export")+" wait")
	}
}
