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

type cancelCommand struct {
	Batch    string `arg:"" optional:"" help:"Batch id."`
	Customer string `placeholder:"ID" help:"Cancel all batches of this customer."`

	Why      string        `placeholder:"TEXT" help:"Reason, recorded in the audit log."`
	Who      string        `placeholder:"NAME" help:"Who does it. Default: user@host."`
	DryRun   bool          `help:"Only count the exports to cancel."`
	Patience time.Duration `default:"15s" placeholder:"DURATION" help:"How long to wait for exports that are making a call."`
	JSON     bool          `name:"json" help:"Print the result as one JSON object."`
}

// cancelResult is the command's JSON.
type cancelResult struct {
	Batch    store.BatchID `json:"batch,omitempty"`
	Customer string        `json:"customer"`
	DryRun   bool          `json:"dry_run,omitempty"`

	store.Cancellation

	Who     string  `json:"who,omitempty"`
	Why     string  `json:"why,omitempty"`
	Seconds float64 `json:"seconds"`
}

// Run cancels the waiting exports of a batch or a customer.
func (c *cancelCommand) Run(ctx context.Context, p *process) error {
	r := cancelResult{Customer: c.Customer, DryRun: c.DryRun, Who: whoIs(c.Who), Why: c.Why}
	switch {
	case (c.Batch == "") == (c.Customer == ""):
		return usageError("name what to cancel: a batch id, or --customer for all batches of a customer")
	case c.Batch != "":
		var err error
		if r.Batch, err = store.ParseBatchID(c.Batch); err != nil {
			return usageError("%v", err)
		}
		r.Customer = r.Batch.Customer()
	case !input.ValidCustomer(c.Customer):
		return usageError("--customer must be an iCIMS customer id, digits only")
	}
	if strings.TrimSpace(c.Why) == "" && !c.DryRun {
		return usageError("give a reason with --why; the audit log records it")
	}
	o, closeRedis, err := openOperator(ctx, p, !c.DryRun)
	if err != nil {
		return err
	}
	defer closeRedis()
	if r.Batch == "" {
		if err := o.known(ctx, r.Customer); err != nil {
			return err
		}
	}
	started := time.Now()
	cancel := func() error {
		r.Cancellation, err = o.cancel(ctx, admin.CancelScope{Customer: r.Customer, Batch: r.Batch}, store.CancelOptions{Who: r.Who, Why: c.Why, DryRun: c.DryRun}, c.Patience)
		return err
	}
	if c.DryRun {
		err = cancel()
	} else {
		err = o.logged(ctx, &store.AuditLogEntry{What: "cancel", Customer: r.Customer, Object: string(r.Batch), Who: r.Who, Why: c.Why}, cancel)
	}
	r.Seconds = time.Since(started).Round(10 * time.Millisecond).Seconds()
	if errors.Is(err, store.ErrNoBatch) {
		return failed("batch %s does not exist in this Redis; its results may have expired (ICIMS_EXPORT_RESULT_RETENTION)", r.Batch)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(p.stdout, r)
	}
	r.write(p)
	return nil
}

// cancel cancels waiting exports, and explains errors.
func (o *operator) cancel(ctx context.Context, scope admin.CancelScope, options store.CancelOptions, patience time.Duration) (store.Cancellation, error) {
	done, err := o.Cancel(ctx, scope, options, patience)
	return done, partialFailure(err, "canceled")
}

// partialFailure explains a partial failure; participle names the action, such as "canceled".
func partialFailure(err error, participle string) error {
	if part, ok := errors.AsType[*admin.BrokenOffError](err); ok {
		return failed("stopped after %s%s. %s Then run the command again to continue.", prose.Plural(part.Done, part.Thing), newBatches(part.Batches), causeOf(part.Err))
	}
	if untold, ok := errors.AsType[*admin.UnrecordedError](err); ok {
		return failed("%s %s%s, but recording it failed. %s", prose.Plural(untold.Done, untold.Thing), participle, newBatches(untold.Batches), causeOf(untold.Err))
	}
	return err
}

// newBatches names the new batches of transferred candidates.
func newBatches(batches []store.BatchID) string {
	if len(batches) == 0 {
		return ""
	}
	return fmt.Sprintf(", sent in %v", batches)
}

func (r cancelResult) write(p *process) {
	width, _ := terminal(p.stdout)
	verb := "canceled, and the candidates' data purged."
	if r.DryRun {
		verb = "would be canceled."
	}
	fmt.Fprintf(p.stdout, "%s %s\n", prose.Plural(r.Cancelled, "export"), verb)
	for _, left := range []struct {
		n    int
		text string
	}{
		{r.PeopleLeft, "of them already have a person in iCIMS, but get no workflow. icims-export status BATCH lists these people; remove unwanted ones in iCIMS."},
		{r.Busy, "are making calls or have a write without a response. They end on their own. Run the command again to cancel any that return to waiting."},
		{r.Dead, "are dead letters: use icims-export dead discard."},
		{r.Ended, "had ended before."},
	} {
		if left.n > 0 {
			hang(p.stdout, width, fmt.Sprintf("%8s  ", prose.Grouped(left.n)), left.text)
		}
	}
}
