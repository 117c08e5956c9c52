package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// limited sets the limit of waiting candidates per customer.
func limited(n int) func(*Deps) {
	return func(d *Deps) {
		d.Ledger = store.NewLedger(d.Redis, d.Ledger.Keys(), store.WithMaxWaiting(n))
		d.Producer = tasks.NewClient(d.Redis, d.Ledger, tasks.WithChunk(2))
	}
}

// A customer can have a limited number of waiting candidates. Further ones are refused, none of the
// accepted ones are lost, and submitting again later adds the rest.
func TestCustomerHasAWaitingLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, limited(5))
	r.connect("1234")
	r.connect("77")
	key := r.key(ScopeExport)
	rows := make([]string, 8)
	for i := range rows {
		rows[i] = row("c-" + string(rune('1'+i)))
	}
	body := strings.Join(rows, "\n")
	send := func(customer, body, idempotency string) *reply {
		return r.call(key, http.MethodPost, "/v1/customers/"+customer+"/exports?job=7", body, "Content-Type", "application/x-ndjson", "Idempotency-Key", idempotency)
	}
	response := send("1234", body, "k")
	p := response.problem(CodeTooManyWaiting)
	id := store.BatchID(r.Ledger.Keys().BatchID("1234", "k"))
	if got := p.Receipt; got == nil || got.Batch != id || got.Accepted != 5 || response.Header.Get("Retry-After") == "" {
		t.Fatalf("answered %s", response.body)
	}
	for _, want := range []string{"5 waiting candidates", "5 candidates were accepted into batch " + string(id), "again with the same Idempotency-Key"} {
		if !strings.Contains(p.Detail, want) {
			t.Errorf("%q is missing in %q", want, p.Detail)
		}
	}
	// Other customers continue. A second batch that is refused creates no empty batch.
	send("77", row("c-1"), "k").is(http.StatusAccepted, nil)
	if p := send("1234", row("c-9"), "other").problem(CodeTooManyWaiting); p.Receipt != nil {
		t.Errorf("a batch that had no room has a receipt: %+v", p.Receipt)
	}
	r.call(key, http.MethodGet, "/v1/customers/1234/batches/"+r.Ledger.Keys().BatchID("1234", "other"), nil).problem(CodeNoBatch)

	// Dead letters keep their data and count towards the limit; ended exports do not.
	refs := make([]store.Ref, 5)
	for i := range refs {
		refs[i] = store.Ref{Customer: "1234", Export: r.Ledger.Keys().ExportID(string(id), "c-"+string(rune('1'+i)))}
	}
	testrig.GiveUp(t, r.Ledger, "job_not_found", testrig.NoJob, refs[0])
	send("1234", body, "k").problem(CodeTooManyWaiting)
	r.finish(refs[1], store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 7, Workflow: 3})
	if p := send("1234", body, "k").problem(CodeTooManyWaiting); p.Receipt.Accepted != 6 || p.Receipt.Again != 5 {
		t.Errorf("receipt %+v", p.Receipt)
	}
	if err := r.Ledger.DeadLetters.Discard(t.Context(), refs[0], "a test", "x"); err != nil {
		t.Fatal(err)
	}
	r.finish(refs[2], store.Finish{To: store.Done, Counter: store.CountCreated, Person: 18, Job: 7, Workflow: 4})
	var sent Sent
	send("1234", body, "k").is(http.StatusAccepted, &sent)
	if sent.Accepted != 8 || sent.Again != 6 {
		t.Errorf("receipt %+v", sent)
	}
}
