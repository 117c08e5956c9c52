package console

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/quota"
)

// ward is a rig with exports in all states.
type ward struct{ *rig }

func newWard(t *testing.T, change ...func(*api.Deps, *Options)) ward {
	t.Helper()
	return ward{newRig(t, change...)}
}

// accept accepts candidates into a closed batch of their own, without tasks.
func (w ward) accept(customer string, job int64, candidates ...string) (store.BatchID, []store.Ref) {
	w.t.Helper()
	return testrig.Accept(w.t, w.ledger, customer, job, candidates...)
}

// putOff postpones an export, as a worker would.
func (w ward) putOff(h store.Hold, ref store.Ref) {
	w.t.Helper()
	if err := w.ledger.Hold(w.t.Context(), testrig.Claim(w.t, w.ledger, ref), h); err != nil {
		w.t.Fatal(err)
	}
}

// finish ends exports as a worker would.
func (w ward) finish(f store.Finish, refs ...store.Ref) {
	w.t.Helper()
	testrig.Finish(w.t, w.ledger, f, refs...)
}

// makeDead makes dead letters of exports.
func (w ward) makeDead(reason store.Reason, call store.Called, refs ...store.Ref) {
	w.t.Helper()
	testrig.GiveUp(w.t, w.ledger, reason, call, refs...)
}

// enqueue enqueues the tasks of exports.
func (w ward) enqueue(refs ...store.Ref) {
	w.t.Helper()
	for _, ref := range refs {
		testrig.Enqueue(w.t, w.API.Redis, w.ledger, ref.Customer, ref.Export)
	}
}

// called makes n calls for a customer. The last one ends with the status.
func (w ward) called(customer string, n, status int) {
	w.t.Helper()
	testrig.Call(w.t, w.ledger, customer, n, status)
}

// connect adds a connection.
func (w ward) connect(customer string) {
	w.t.Helper()
	conn := store.Connection{
		Customer: customer, Username: "export-user", Password: "hunter2-hunter2",
		PortalURLs: "https://api.icims.com/customers/" + customer + "/search/portals/1?staleness=0",
	}
	if _, err := w.ledger.Connections.Add(w.t.Context(), conn, "a test", ""); err != nil {
		w.t.Fatal(err)
	}
}

// beat sends a worker's heartbeat. The worker has no usable connection for the given customers.
func (w ward) beat(refuses ...string) {
	w.t.Helper()
	if _, err := w.ledger.Workers.Beat(w.t.Context(), store.Peer{Worker: "w-1", Free: 10, Refuses: refuses}); err != nil {
		w.t.Fatal(err)
	}
}

// spend uses up a customer's daily limit.
func (w ward) spend(customer string) {
	w.t.Helper()
	r := quota.Request{Worker: "w-1", Credentials: "c", Limits: store.DefaultLimits(), Hold: time.Minute, First: 1, Bulk: 3}
	r.Limits.CallsPerDay, r.Limits.ExpressReserve = 3, 0
	for r.First < 4 {
		a, err := w.ledger.Quota().Ask(w.t.Context(), customer, r)
		if err != nil || len(a.Permits) == 0 {
			w.t.Fatalf("%+v, %v", a, err)
		}
		r.First, r.Bulk = r.First+int64(len(a.Permits)), r.Bulk-len(a.Permits)
	}
}

// breaks reports a worker's open circuit breaker for a customer.
func (w ward) breaks(customer string) {
	w.t.Helper()
	if err := w.ledger.AuditLog.RecordBreaker(w.t.Context(), customer, "w-1", "open"); err != nil {
		w.t.Fatal(err)
	}
}

// wants checks a page's status and texts.
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

const markup = `<script>alert("1")</script><b>it</b>` + "\u202egnp"
