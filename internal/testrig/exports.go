package testrig

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/quota"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// Numbered returns n candidate IDs: c-00007 and so on from 7.
func Numbered(from, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("c-%05d", from+i)
	}
	return ids
}

// Accept accepts candidates into a closed batch, without tasks. All are named Ottoline
// Quillfeather, so that tests can search for personal data.
func Accept(t testing.TB, l *store.Ledger, customer string, job int64, candidates ...string) (store.BatchID, []store.Ref) {
	t.Helper()
	return AcceptAs(t, l, store.BatchSpec{Customer: customer, Job: job}, candidates...)
}

// AcceptAs is Accept into a batch with options.
func AcceptAs(t testing.TB, l *store.Ledger, spec store.BatchSpec, candidates ...string) (store.BatchID, []store.Ref) {
	t.Helper()
	ctx, keys, customer := t.Context(), l.Keys(), spec.Customer
	batch, _, err := l.Batches.Open(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	refs, exports := make([]store.Ref, len(candidates)), make([]store.NewExport, len(candidates))
	for i, id := range candidates {
		c := input.Candidate{ID: id, FirstName: "Ottoline", LastName: "Quillfeather", Email: "ottoline." + id + "@example.com"}
		refs[i] = store.Ref{Customer: customer, Export: keys.ExportID(string(batch), id)}
		exports[i] = store.NewExport{Export: refs[i].Export, Candidate: id, EmailHash: keys.EmailHash(customer, c.Email), Payload: tasks.Payload{Candidate: c}.Encode()}
	}
	for chunk := range slices.Chunk(exports, tasks.DefaultChunk) {
		if _, err := l.AcceptFor(ctx, spec, batch, chunk, store.Rows{}, store.NormalQueue); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Batches.Close(ctx, batch, 0); err != nil {
		t.Fatal(err)
	}
	return batch, refs
}

// Claim claims an export, as a worker does.
func Claim(t testing.TB, l *store.Ledger, ref store.Ref) *store.Claim {
	t.Helper()
	c, err := l.Claim(t.Context(), ref, store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
	if err != nil || c.Verdict != store.ClaimOK {
		t.Fatalf("claim: %+v, %v", c, err)
	}
	return c
}

// Finish ends exports, as a worker does.
func Finish(t testing.TB, l *store.Ledger, f store.Finish, refs ...store.Ref) {
	t.Helper()
	for _, ref := range refs {
		if err := l.Finish(t.Context(), Claim(t, l, ref), f); err != nil {
			t.Fatal(err)
		}
	}
}

// GiveUp turns exports into dead letters, after a refused call.
func GiveUp(t testing.TB, l *store.Ledger, reason store.Reason, call store.Called, refs ...store.Ref) {
	t.Helper()
	Finish(t, l, store.Finish{
		To: store.Dead, Counter: store.CountDead, Reason: reason,
		Entry: &store.Entry{At: time.Now(), What: "dead", Reason: reason, Attempt: 1, Calls: []store.Called{call}},
	}, refs...)
}

// LeaveProfile makes an export a dead letter that created a person before its job was found to be
// missing.
func LeaveProfile(t testing.TB, l *store.Ledger, person int64, ref store.Ref) {
	t.Helper()
	c := Claim(t, l, ref)
	if err := l.Step(t.Context(), c, store.Step{To: store.Placing, Lease: time.Minute, Person: person, PersonMade: true}); err != nil {
		t.Fatal(err)
	}
	if err := l.Finish(t.Context(), c, store.Finish{To: store.Dead, Counter: store.CountDead, Reason: store.ReasonJobNotFound, Person: person}); err != nil {
		t.Fatal(err)
	}
}

// Uncount removes the count of reasons of a batch, as for a batch from before they were counted.
func Uncount(t testing.TB, r redis.UniversalClient, batch store.BatchID, ended store.Counter, reason store.Reason) {
	t.Helper()
	customer, local, _ := strings.Cut(string(batch), "-")
	if n, err := r.HDel(t.Context(), "ix:{"+customer+"}:b:"+local, "r:"+string(ended)+":"+string(reason)).Result(); err != nil || n != 1 {
		t.Fatalf("%d counts forgotten, %v", n, err)
	}
}

// Refused iCIMS calls; the message of the first contains a name.
var (
	RefusedEmail = store.Called{Op: "people.create", Status: 400, Reason: "icims_field_refused", Sent: "yes", Transaction: "T-17", Problems: []string{"code 4 on email: ottoline@example.com is not welcome"}}
	NoJob        = store.Called{Op: "workflows.create", Status: 404, Reason: "icims_not_found", Sent: "yes", Transaction: "T-18"}
)

// Call makes n calls for a customer. The last is answered with the status, the others with 200.
func Call(t testing.TB, l *store.Ledger, customer string, n, status int) {
	t.Helper()
	r := quota.Request{Worker: "w-1", Credentials: "c", Limits: store.DefaultLimits(), Hold: time.Minute, First: 1}
	r.Limits.CallsPerSecond, r.Limits.Burst, r.Limits.InFlight, r.Bulk = 1000, 100, 100, n
	a, err := l.Quota().Ask(t.Context(), customer, r)
	if err != nil || len(a.Permits) != n {
		t.Fatalf("%d permits of %d, %v", len(a.Permits), n, err)
	}
	r.First, r.Bulk = r.First+int64(n), 0
	for i, p := range a.Permits {
		answered := quota.Unused(p)
		answered.Unused, answered.Status = false, 200
		if i == n-1 {
			answered.Status = status
		}
		r.Returned = append(r.Returned, answered)
	}
	if _, err := l.Quota().Ask(t.Context(), customer, r); err != nil {
		t.Fatal(err)
	}
}

// IDs returns the exports' IDs without their customers.
func IDs(refs []store.Ref) []string {
	ids := make([]string, len(refs))
	for i, ref := range refs {
		ids[i] = ref.Export
	}
	return ids
}

// Refs returns a customer's exports by ID.
func Refs(customer string, ids ...string) []store.Ref {
	refs := make([]store.Ref, len(ids))
	for i, id := range ids {
		refs[i] = store.Ref{Customer: customer, Export: id}
	}
	return refs
}

// Enqueue enqueues tasks for exports, as a producer does after accepting them. An export unknown to
// the ledger gets a task in the bulk queue.
func Enqueue(t testing.TB, client redis.UniversalClient, l *store.Ledger, customer string, exports ...string) {
	t.Helper()
	stand, err := l.Recovery.States(t.Context(), customer, exports)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]tasks.Export, len(stand))
	for i, m := range stand {
		all[i] = tasks.ExportOf(m)
	}
	if err := tasks.NewQueues(client, 0).Enqueue(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	if err := l.Lanes.Announce(t.Context(), customer); err != nil {
		t.Fatal(err)
	}
}
