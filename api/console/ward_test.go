package console

import (
	"fmt"
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// ward is a rig whose customers have exports in all states.
type ward struct{ *rig }

func newWard(t *testing.T, change ...func(*api.Deps, *Options)) ward {
	t.Helper()
	return ward{newRig(t, change...)}
}

// accept takes candidates into a closed batch of their own, without any task.
func (w ward) accept(customer string, job int64, candidates ...string) (store.BatchID, []store.Ref) {
	w.t.Helper()
	ctx, keys := w.t.Context(), w.ledger.Keys()
	batch, _, err := w.ledger.OpenBatch(ctx, store.BatchSpec{Customer: customer, Job: job})
	if err != nil {
		w.t.Fatal(err)
	}
	refs, exports := make([]store.Ref, len(candidates)), make([]store.NewExport, len(candidates))
	for i, id := range candidates {
		c := tasks.Candidate{ID: id, FirstName: "Ottoline", LastName: "Quillfeather", Email: id + "@example.com"}
		refs[i] = store.Ref{Customer: customer, Export: keys.ExportID(string(batch), id)}
		exports[i] = store.NewExport{Export: refs[i].Export, Candidate: id, EmailHash: keys.EmailHash(customer, c.Email), Payload: tasks.Payload{Candidate: c}.Encode()}
	}
	if _, err := w.ledger.Accept(ctx, batch, exports); err != nil {
		w.t.Fatal(err)
	}
	if err := w.ledger.CloseBatch(ctx, batch, 0); err != nil {
		w.t.Fatal(err)
	}
	return batch, refs
}

// many are so many ids of candidates.
func many(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("c-%05d", i)
	}
	return ids
}

// putOff hands an export back as a worker would.
func (w ward) putOff(h store.Hold, ref store.Ref) {
	w.t.Helper()
	c, err := w.ledger.Claim(w.t.Context(), ref, store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
	if err == nil && c.Verdict != store.ClaimOK {
		err = fmt.Errorf("claim: %s", c.Verdict)
	}
	if err == nil {
		err = w.ledger.Hold(w.t.Context(), c, h)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// finish ends exports as a worker would.
func (w ward) finish(f store.Finish, refs ...store.Ref) {
	w.t.Helper()
	for _, ref := range refs {
		c, err := w.ledger.Claim(w.t.Context(), ref, store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
		if err == nil && c.Verdict != store.ClaimOK {
			err = fmt.Errorf("claim: %s", c.Verdict)
		}
		if err == nil {
			err = w.ledger.Finish(w.t.Context(), c, f)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// giveUp makes dead letters of exports.
func (w ward) giveUp(reason store.Reason, call store.Called, refs ...store.Ref) {
	w.t.Helper()
	w.finish(store.Finish{
		To: store.Dead, Counter: store.CountDead, Reason: reason,
		Entry: &store.Entry{At: time.Now(), What: "dead", Reason: reason, Attempt: 1, Calls: []store.Called{call}},
	}, refs...)
}

var (
	refusedEmail = store.Called{Op: "people.create", Status: 400, Reason: "icims_field_refused", Sent: "yes", Transaction: "T-17", Problems: []string{"code 4 on email: ottoline@example.com is not welcome"}}
	noJob        = store.Called{Op: "workflows.create", Status: 404, Reason: "icims_not_found", Sent: "yes", Transaction: "T-18"}
)

// enqueue gives exports their tasks.
func (w ward) enqueue(refs ...store.Ref) {
	w.t.Helper()
	for _, ref := range refs {
		if err := tasks.Enqueue(w.t.Context(), w.API.Redis, w.ledger, ref.Customer, tasks.Alarm{Export: ref.Export}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// called makes calls for a customer, and ends the last one with a status.
func (w ward) called(customer string, n, status int) {
	w.t.Helper()
	r := store.PermitRequest{Worker: "w-1", Credentials: "c", Limits: store.DefaultLimits(), Hold: time.Minute, First: 1}
	r.Limits.CallsPerSecond, r.Limits.Burst, r.Limits.InFlight, r.Bulk = 1000, 100, 100, n
	a, err := w.ledger.Permits(w.t.Context(), customer, r)
	if err != nil || len(a.Permits) != n {
		w.t.Fatalf("%d permits of %d, %v", len(a.Permits), n, err)
	}
	r.First, r.Bulk = r.First+int64(n), 0
	for i, p := range a.Permits {
		answered := store.ReturnUnused(p)
		answered.Unused, answered.Status = false, 200
		if i == n-1 {
			answered.Status = status
		}
		r.Returned = append(r.Returned, answered)
	}
	if _, err := w.ledger.Permits(w.t.Context(), customer, r); err != nil {
		w.t.Fatal(err)
	}
}

// connect enters a connection.
func (w ward) connect(customer string) {
	w.t.Helper()
	conn := store.Connection{
		Customer: customer, Username: "export-user", Password: "hunter2-hunter2",
		PortalURLs: "https://api.icims.com/customers/" + customer + "/search/portals/1?staleness=0",
	}
	if _, err := w.ledger.AddConnection(w.t.Context(), conn, "a test", ""); err != nil {
		w.t.Fatal(err)
	}
}

// beat lets a worker be heard of, which has no usable connection for some customers.
func (w ward) beat(refuses ...string) {
	w.t.Helper()
	if _, err := w.ledger.Beat(w.t.Context(), store.Peer{Worker: "w-1", Free: 10, Refuses: refuses}); err != nil {
		w.t.Fatal(err)
	}
}

// spend uses up the calls that a customer has in a day.
func (w ward) spend(customer string) {
	w.t.Helper()
	r := store.PermitRequest{Worker: "w-1", Credentials: "c", Limits: store.DefaultLimits(), Hold: time.Minute, First: 1, Bulk: 3}
	r.Limits.CallsPerDay, r.Limits.ExpressReserve = 3, 0
	for r.First < 4 {
		a, err := w.ledger.Permits(w.t.Context(), customer, r)
		if err != nil || len(a.Permits) == 0 {
			w.t.Fatalf("%+v, %v", a, err)
		}
		r.First, r.Bulk = r.First+int64(len(a.Permits)), r.Bulk-len(a.Permits)
	}
}

// breaks lets a worker say that iCIMS keeps failing for a customer.
func (w ward) breaks(customer string) {
	w.t.Helper()
	if err := w.ledger.TellBreaker(w.t.Context(), customer, "w-1", "open"); err != nil {
		w.t.Fatal(err)
	}
}

// wants checks the status of a page, what is in it and what is not.
func (s shown) wants(t *testing.T, status int, texts ...string) {
	t.Helper()
	if s.StatusCode != status {
		t.Fatalf("got %d to %q: %s", s.StatusCode, s.to(), s.text)
	}
	for _, text := range texts {
		if !s.has(text) {
			t.Errorf("%q is missing in %s", text, s.text)
		}
	}
}

func (s shown) lacks(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if s.has(text) {
			t.Errorf("%q is in %s", text, s.text)
		}
	}
}

const markup = `<script>alert("1")</script><b>it</b>`
