package main

import (
	"context"
	"slices"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

type deadCommand struct {
	List     deadListCommand     `cmd:"" help:"List dead letters."`
	Show     deadShowCommand     `cmd:"" help:"Explain one dead letter."`
	Retry    deadRetryCommand    `cmd:"" help:"Retry dead letters with a new retry budget."`
	Transfer deadTransferCommand `cmd:"" help:"Send the candidates of dead letters to another job."`
	Discard  deadDiscardCommand  `cmd:"" help:"Discard dead letters and purge the candidates' data."`
}

// deadChoice are the flags that select dead letters. A flag that is not set matches all.
type deadChoice struct {
	Customer string `placeholder:"ID" help:"Only of this customer. Default: all."`
	Batch    string `placeholder:"ID" help:"Only of this batch."`
	Reason   string `placeholder:"CODE" help:"Only for this reason (docs/errors.md lists them)."`
	Since    string `placeholder:"TIME" help:"Only those that failed since: 24h or 7d ago, or a time such as 2026-11-22T15:04:05Z."`
	Text     string `placeholder:"TEXT" help:"Only those with this text in their reason, or in operation, status or codes of iCIMS's last response."`
	DryRun   bool   `help:"Only count the matching dead letters by reason."`
}

// named reports whether any flag is set.
func (c deadChoice) named() bool {
	return c.Customer != "" || c.Batch != "" || c.Reason != "" || c.Since != "" || c.Text != ""
}

func (c deadChoice) check() error {
	if c.Customer != "" && !input.ValidCustomer(c.Customer) {
		return usageError("--customer must be an iCIMS customer id, digits only")
	}
	if c.Reason != "" && !slices.Contains(store.Reasons(), store.Reason(c.Reason)) {
		return usageError("--reason %q is unknown: docs/errors.md lists all reasons, and --dry-run counts the current ones", c.Reason)
	}
	return nil
}

// search checks the flags. what names one dead letter, as CUSTOMER:EXPORT, or a candidate.
func (c deadChoice) search(ctx context.Context, o *operator, what string) (admin.DeadChoice, error) {
	s := admin.DeadChoice{Text: c.Text}
	s.Reason = store.Reason(c.Reason)
	var err error
	if c.Batch != "" {
		if s.Batch, err = store.ParseBatchID(c.Batch); err != nil {
			return s, usageError("%v", err)
		}
		if c.Customer != "" && c.Customer != s.Batch.Customer() {
			return s, usageError("batch %s does not belong to customer %s: omit --customer", c.Batch, c.Customer)
		}
		c.Customer = s.Batch.Customer()
	}
	if customer, export, ok := strings.Cut(what, ":"); ok && input.ValidCustomer(customer) {
		if c.Customer != "" && c.Customer != customer {
			return s, usageError("%s does not belong to customer %s: omit --customer and --batch", what, c.Customer)
		}
		c.Customer, s.Exports = customer, []string{export}
	} else {
		s.Candidate = what
	}
	now, err := o.Ledger.Now(ctx)
	if err != nil {
		return s, o.lost(err)
	}
	s.Until = now
	if s.Since, err = parseSince(c.Since, now); err != nil {
		return s, err
	}
	s.Customers, err = o.customers(ctx, c.Customer)
	return s, err
}
