package api

import (
	"slices"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

// acceptCandidates accepts n candidates into a batch, without tasks.
func (r *rig) acceptCandidates(customer string, job int64, from, n int) (store.BatchID, []string) {
	r.t.Helper()
	batch, refs := testrig.Accept(r.t, r.Ledger, customer, job, testrig.Numbered(from, n)...)
	return batch, testrig.IDs(refs)
}

// makeDead makes dead letters of exports, as a worker would.
func (r *rig) makeDead(customer string, reason store.Reason, call store.Called, ids ...string) {
	r.t.Helper()
	testrig.GiveUp(r.t, r.Ledger, reason, call, testrig.Refs(customer, ids...)...)
}

// journalOf returns a customer's audit log, oldest first.
func (r *rig) journalOf(customer string) []store.AuditLogEntry {
	r.t.Helper()
	page, err := r.Ledger.AuditLog.Page(r.t.Context(), store.AuditLogFilter{Customers: []string{customer}})
	if err != nil {
		r.t.Fatal(err)
	}
	slices.Reverse(page.Entries)
	return page.Entries
}
