package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
)

type deadTransferCommand struct {
	deadAct

	ToJob int64 `required:"" placeholder:"ID" help:"System id of the new job."`
}

// Run moves the candidates of the selected dead letters to another job.
func (c *deadTransferCommand) Run(ctx context.Context, p *process) error {
	if c.ToJob < 1 {
		return usageError("--to-job must be the system id of a job, a positive number")
	}
	return c.run(ctx, p, deadAction{"transfer", c.ToJob, func(d *admin.DeadLetters, ctx context.Context, choice admin.DeadChoice, o admin.DeadOrder) (admin.DeadResult, error) {
		if warning := d.JobLists.Warning(ctx, choice.Customers[0], c.ToJob); warning != "" {
			p.sayf("! %s", warning)
		}
		return d.Transfer(ctx, choice, o, c.ToJob)
	}})
}

// transferred describes the result of a transfer.
func transferred(r admin.DeadResult) string {
	watch := make([]string, len(r.Batches))
	for i, batch := range r.Batches {
		watch[i] = "icims-export status " + string(batch)
	}
	text := "No candidate was sent"
	if r.Done > 0 {
		text = prose.Plural(r.Done, "candidate") + " sent"
	}
	text += fmt.Sprintf(" to job %d.", r.Job)
	if len(watch) > 0 {
		text += " Follow them: " + strings.Join(watch, "; ") + "."
	}
	if stayed := r.Chosen - r.Done; stayed > 0 {
		text += " " + prose.Grouped(stayed) + " stayed: they already go to that job, their data is missing, a write is unconfirmed, the candidate is a duplicate, or they were already retried, discarded or transferred."
	}
	return text
}
