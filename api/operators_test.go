package api

import (
	"fmt"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// hand takes so many candidates into a batch, without any task.
func (r *rig) hand(customer string, job int64, from, n int) (store.BatchID, []string) {
	r.t.Helper()
	ctx := r.t.Context()
	batch, _, err := r.Ledger.OpenBatch(ctx, store.BatchSpec{Customer: customer, Job: job})
	if err != nil {
		r.t.Fatal(err)
	}
	var ids []string
	all := make([]store.NewExport, n)
	for i := range all {
		c := tasks.Candidate{ID: fmt.Sprintf("c-%05d", from+i), FirstName: "Ottoline", LastName: "Quillfeather", Email: fmt.Sprintf("ottoline-%d@example.com", from+i)}
		all[i] = store.NewExport{
			Export: r.Ledger.Keys().ExportID(string(batch), c.ID), Candidate: c.ID, EmailHash: r.Ledger.Keys().EmailHash(customer, c.Email),
			Payload: tasks.Payload{Candidate: c}.Encode(),
		}
		ids = append(ids, all[i].Export)
	}
	for chunk := range slices.Chunk(all, 500) {
		if _, err := r.Ledger.Accept(ctx, batch, chunk); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := r.Ledger.CloseBatch(ctx, batch, 0); err != nil {
		r.t.Fatal(err)
	}
	return batch, ids
}

// giveUp makes dead letters of exports, as a worker would.
func (r *rig) giveUp(customer string, reason store.Reason, call store.Called, ids ...string) {
	r.t.Helper()
	for _, export := range ids {
		c, err := r.Ledger.Claim(r.t.Context(), store.Ref{Customer: customer, Export: export}, store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
		if err == nil && c.Verdict != store.ClaimOK {
			err = fmt.Errorf("claim: %s", c.Verdict)
		}
		if err == nil {
			err = r.Ledger.Finish(r.t.Context(), c, store.Finish{
				To: store.Dead, Counter: store.CountDead, Reason: reason,
				Entry: &store.Entry{At: time.Now(), What: "dead", Reason: reason, Attempt: 1, Calls: []store.Called{call}},
			})
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

var (
	refusedEmail = store.Called{Op: "people.create", Status: 400, Reason: "icims_field_refused", Sent: "yes", Transaction: "T-17", Problems: []string{"code 4 on email: ottoline@example.com is not welcome"}}
	noJob        = store.Called{Op: "workflows.create", Status: 404, Reason: "icims_not_found", Sent: "yes", Transaction: "T-18"}
)

// journalOf are the entries of a customer's journal, the oldest first.
func (r *rig) journalOf(customer string) []store.JournalEntry {
	r.t.Helper()
	page, err := r.Ledger.Journal(r.t.Context(), store.JournalFilter{Customers: []string{customer}})
	if err != nil {
		r.t.Fatal(err)
	}
	slices.Reverse(page.Entries)
	return page.Entries
}
