package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

type eraseCommand struct {
	Customer  string `arg:"" help:"iCIMS's customer id."`
	Candidate string `arg:"" help:"The candidate's id, as submitted."`

	Why      string        `placeholder:"TEXT" help:"Reason, recorded in the audit log. Do not name the candidate."`
	Who      string        `placeholder:"NAME" help:"Who does it. Default: user@host."`
	Patience time.Duration `default:"15s" placeholder:"DURATION" help:"How long to wait for exports that are making a call."`
	JSON     bool          `name:"json" help:"Print the receipt as one JSON object."`
}

// Run erases all stored data of a candidate.
func (c *eraseCommand) Run(ctx context.Context, p *process) error {
	switch {
	case !input.ValidCustomer(c.Customer):
		return usageError("%q is not an iCIMS customer id (digits only); it comes before the candidate", c.Customer)
	case strings.TrimSpace(c.Candidate) == "":
		return usageError("give the candidate's id, as submitted")
	case strings.TrimSpace(c.Why) == "":
		return usageError("give a reason with --why; the audit log records it")
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	if err := o.known(ctx, c.Customer); err != nil {
		return err
	}
	var receipt store.ErasureReceipt
	// The audit log does not name the candidate.
	err = o.logged(ctx, &store.AuditLogEntry{What: "erase", Customer: c.Customer, Who: c.Who, Why: c.Why}, func() (err error) {
		receipt, err = c.erase(ctx, o)
		return err
	})
	if explainsItself(err) {
		return err
	}
	if err != nil {
		return failed("stopped. %s Then run the command again to continue.", causeOf(err))
	}
	if c.JSON {
		err = writeJSON(p.stdout, receipt)
	} else {
		writeErasure(p, receipt, profiles(ctx, o, receipt))
	}
	if err == nil && !receipt.Complete {
		return failed("not everything is erased: an export has a write in progress or unconfirmed. Run the command again in a minute or two. Until then the record of the write is kept, which prevents a second profile")
	}
	return err
}

// erase erases the candidate, and retries exports in progress until patience has passed.
func (c *eraseCommand) erase(ctx context.Context, o *operator) (store.ErasureReceipt, error) {
	const pause = time.Second
	conn, _ := o.Connections.Get(ctx, c.Customer)
	options := store.EraseOptions{Who: whoIs(c.Who), Why: c.Why, Settle: conn.Profile.SettleTime(o.p.settings.SettleTime)}
	all, err := o.Erase(ctx, c.Customer, c.Candidate, options)
	for end := time.Now().Add(c.Patience); err == nil && !all.Complete && time.Now().Add(pause).Before(end); {
		select {
		case <-ctx.Done():
			return all, ctx.Err()
		case <-time.After(pause):
		}
		var more store.ErasureReceipt
		if more, err = o.Erase(ctx, c.Customer, c.Candidate, options); err == nil {
			all = all.With(more)
		}
	}
	return all, err
}

// profiles returns links to the candidate's profiles in iCIMS.
func profiles(ctx context.Context, o *operator, r store.ErasureReceipt) []string {
	l := o.Connections.Links(ctx, r.Customer)
	places := make([]string, len(r.People))
	for i, person := range r.People {
		if places[i] = l.Person(person); places[i] == "" {
			places[i] = fmt.Sprintf("person %d", person)
		}
	}
	return places
}

func writeErasure(p *process, r store.ErasureReceipt, people []string) {
	width, _ := terminal(p.stdout)
	if r.Nothing() && r.Complete {
		hang(p.stdout, width, "", "No data of this candidate was found. Ids are case-sensitive.")
		return
	}
	var done []string
	for _, part := range []struct {
		n    int
		text string
	}{
		{r.Cancelled, prose.Plural(r.Cancelled, "export") + " canceled"},
		{r.DeadLetters, prose.Plural(r.DeadLetters, "dead letter") + " discarded"},
		{r.Ended, prose.Plural(r.Ended, "ended export") + " anonymized"},
	} {
		if part.n > 0 {
			done = append(done, part.text)
		}
	}
	if r.RefusedRows > 0 {
		done = append(done, "the ID removed from "+prose.Plural(r.RefusedRows, "refused row"))
	}
	if r.Marker {
		done = append(done, "the success marker removed")
	}
	if len(done) > 0 {
		hang(p.stdout, width, "", "Erased: "+strings.Join(done, ", ")+".")
	}
	hang(p.stdout, width, "", "Reference "+r.Reference+", which replaces the candidate in the records.")
	for _, e := range r.InWork {
		hang(p.stdout, width, "", fmt.Sprintf("Left: export %s of batch %s is %s.", e.Export, e.Batch, e.State))
	}
	if len(people) > 0 {
		hang(p.stdout, width, "", "The profile stays in iCIMS. The customer can delete it:")
		for _, place := range slices.Sorted(slices.Values(people)) {
			fmt.Fprintf(p.stdout, "  %s\n", place)
		}
	}
}
