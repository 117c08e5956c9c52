package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

var why = store.CancelOptions{Who: "ana", Why: "the wrong list"}

// apart ignores which exports were canceled.
var apart = cmpopts.IgnoreFields(store.Cancellation{}, "Exports")

// inState brings a new export into a state by regular transitions.
func (b *book) inState(s store.State) store.Ref {
	b.t.Helper()
	ref := b.accept(string(s), string(s)+"@example.com")
	if s == store.Queued {
		return ref
	}
	c := b.claimed(ref)
	switch s {
	case store.Claimed:
	case store.Creating:
		b.step(c, store.Step{To: store.Creating})
	case store.Created:
		b.step(c, store.Step{To: store.Created, Person: 17})
	case store.Placing:
		b.step(c, store.Step{To: store.Placing, Person: 17})
	case store.Unknown:
		b.step(c, store.Step{To: store.Creating})
		b.hold(c, store.Hold{To: s, Delay: time.Hour})
	case store.Deferred, store.Retrying:
		b.hold(c, store.Hold{To: s, Delay: time.Hour, Reason: "icims_server_error"})
	default:
		b.finish(c, store.Finish{To: s, Counter: map[store.State]store.Counter{
			store.Done: store.CountCreated, store.Skipped: store.CountSkipped, store.Dead: store.CountDead,
		}[s], Person: 17})
	}
	return ref
}

func TestCancelEndsOnlyWaitingExports(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		all := slices.DeleteFunc(store.States(), func(s store.State) bool { return s == store.Cancelled })
		refs := map[store.State]store.Ref{}
		for _, s := range all {
			refs[s] = b.inState(s)
		}
		want := store.Cancellation{Cancelled: 3, Busy: 5, Dead: 1, Ended: 2}
		dry := why
		dry.DryRun = true
		before := ordered(redistest.Dump(t, client))
		if got, err := b.Cancel(t.Context(), b.batch, dry); err != nil || !cmp.Equal(got, want, apart) {
			t.Errorf("a dry run: %+v, %v", got, err)
		}
		if diff := cmp.Diff(before, ordered(redistest.Dump(t, client))); diff != "" {
			t.Errorf("a dry run changed something:\n%s", diff)
		}
		want.Exports = []string{refs[store.Queued].Export, refs[store.Deferred].Export, refs[store.Retrying].Export}
		if got, err := b.Cancel(t.Context(), b.batch, why); err != nil || !cmp.Equal(got, want, cmpopts.SortSlices(strings.Compare)) {
			t.Errorf("canceled: %+v, %v", got, err)
		}
		for row, s := range all {
			after := s
			if store.CanMove(s, store.Cancelled) && s != store.Dead {
				after = store.Cancelled
			}
			if o := b.outcome(row); o.State != after {
				t.Errorf("%s became %s, want %s", s, o.State, after)
			}
		}
		if o := b.outcome(0); o.Reason != store.ReasonCancelled || o.Candidate != "queued" || o.At.IsZero() {
			t.Errorf("outcome: %+v", o)
		}
		for _, s := range []store.State{store.Queued, store.Deferred, store.Retrying} {
			if _, err := b.DeadLetters.Payload(t.Context(), refs[s]); !errors.Is(err, store.ErrGone) {
				t.Errorf("%s: the candidate's data is kept: %v", s, err)
			}
			if v := b.claim(refs[s], longLease).Verdict; v != store.ClaimGone {
				t.Errorf("%s: a later claim gets %s", s, v)
			}
			story, err := b.Timeline(t.Context(), refs[s])
			if err != nil || len(story) == 0 || story[len(story)-1].What != "cancelled" || story[len(story)-1].Who != "ana" {
				t.Errorf("%s: timeline %+v, %v", s, story, err)
			}
		}
		if got, err := b.Cancel(t.Context(), b.batch, why); err != nil || !cmp.Equal(got, store.Cancellation{Busy: 5, Dead: 1, Ended: 5}) {
			t.Errorf("again: %+v, %v", got, err)
		}
		if n, _ := b.Recovery.IllegalMoves(t.Context(), customer); n != 0 {
			t.Errorf("%d illegal transitions", n)
		}
		b.auditIsClean()
	})
}

// ordered makes dumps comparable: Redis does not keep the order of keys and fields.
func ordered(dump redistest.Snapshot) redistest.Snapshot {
	for _, key := range dump {
		slices.Sort(key.Values)
	}
	slices.SortFunc(dump, func(x, y redistest.Entry) int { return strings.Compare(x.Key, y.Key) })
	return dump
}

func (b *book) auditIsClean() {
	b.t.Helper()
	audits, err := b.Checks.Run(b.t.Context(), []string{b.batch.Customer()}, store.CheckOptions{Late: time.Hour})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, v := range audits[0].Violations {
		b.t.Errorf("audit: %+v", v)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	specs := []struct {
		name string
		test func(*book)
	}{
		{"the batch ends with its last export", func(b *book) {
			b.accept("a", "a@example.com")
			if err := b.Batches.Close(b.t.Context(), b.batch, 0); err != nil {
				b.t.Fatal(err)
			}
			if _, err := b.Cancel(b.t.Context(), b.batch, why); err != nil {
				b.t.Fatal(err)
			}
			if c := b.counts(); c.Cancelled != 1 || c.Moving() != 0 || c.Ended.IsZero() {
				b.t.Errorf("%+v", c)
			}
			if ttl := b.redis.TTL(b.t.Context(), "ix:{"+b.batch.Customer()+"}:b:"+string(b.batch)[5:]).Val(); ttl <= 0 {
				b.t.Errorf("the batch expires in %s", ttl)
			}
		}},
		{"a resubmitted batch stays canceled", func(b *book) {
			e := b.newExport("a", "a@example.com")
			for again := range 2 {
				got, err := b.Accept(e)
				if err != nil || again == 1 && (got[0].New || got[0].State != store.Cancelled) {
					b.t.Errorf("sending %d: %+v, %v", again+1, got, err)
				}
				if _, err := b.Cancel(b.t.Context(), b.batch, why); err != nil {
					b.t.Fatal(err)
				}
			}
			b.auditIsClean()
		}},
		{"a canceled batch accepts no more rows", func(b *book) {
			first, late := b.newExport("a", "a@example.com"), b.newExport("b", "b@example.com")
			if _, err := b.Accept(first); err != nil {
				b.t.Fatal(err)
			}
			if _, err := b.Cancel(b.t.Context(), b.batch, why); err != nil {
				b.t.Fatal(err)
			}
			got, err := b.Accept(first, late)
			if !errors.Is(err, store.ErrBatchCancelled) || len(got) != 1 || got[0].State != store.Cancelled {
				b.t.Errorf("%+v, %v", got, err)
			}
			if c := b.counts(); c.Accepted != 1 || c.Moving() != 0 || c.Ended.IsZero() {
				b.t.Errorf("the batch has ended without its producer: %+v", c)
			}
			b.auditIsClean()
		}},
		{"a dry run keeps a batch open for more rows", func(b *book) {
			if _, err := b.Cancel(b.t.Context(), b.batch, store.CancelOptions{DryRun: true}); err != nil {
				b.t.Fatal(err)
			}
			if _, err := b.Accept(b.newExport("a", "a@example.com")); err != nil {
				b.t.Error(err)
			}
		}},
		{"a customer's empty batches are canceled too", func(b *book) {
			if _, err := b.CancelCustomer(b.t.Context(), b.batch.Customer(), why); err != nil {
				b.t.Fatal(err)
			}
			if _, err := b.Accept(b.newExport("a", "a@example.com")); !errors.Is(err, store.ErrBatchCancelled) {
				b.t.Error(err)
			}
		}},
		{"a retried export with an unconfirmed write stays", func(b *book) {
			ref := b.accept("a", "a@example.com")
			c := b.claimed(ref)
			b.step(c, store.Step{To: store.Creating})
			b.hold(c, store.Hold{To: store.Unknown, Delay: time.Hour})
			b.force(ref, "st", "claimed", "ia", "1")
			c = b.claim(ref, store.ClaimOptions{Lease: time.Hour})
			b.finish(c, store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "retry_budget_spent"})
			if err := b.DeadLetters.Revive(b.t.Context(), ref, "ana", ""); err != nil {
				b.t.Fatal(err)
			}
			if got, err := b.Cancel(b.t.Context(), b.batch, why); err != nil || got.Cancelled != 0 || got.Busy != 1 {
				b.t.Errorf("%+v, %v", got, err)
			}
		}},
		{"an unknown batch is an error", func(b *book) {
			unknown := store.BatchID(b.Keys().BatchID(b.batch.Customer(), "never"))
			if _, err := b.Cancel(b.t.Context(), unknown, why); !errors.Is(err, store.ErrNoBatch) {
				b.t.Errorf("%v", err)
			}
		}},
		{"all batches of one customer are canceled, and no others", func(b *book) {
			mine := b.batch.Customer()
			other := openBook(b.t, b.redis, store.BatchSpec{Customer: "99"})
			other.accept("z", "z@example.com")
			b.accept("a", "a@example.com")
			second, _, err := b.Batches.Open(b.t.Context(), store.BatchSpec{Customer: mine})
			if err != nil {
				b.t.Fatal(err)
			}
			b.batch = second
			b.accept("b", "b@example.com")
			if got, err := b.CancelCustomer(b.t.Context(), mine, why); err != nil || got.Cancelled != 2 {
				b.t.Errorf("%+v, %v", got, err)
			}
			if live, _ := b.Recovery.Live(b.t.Context(), mine); live != 0 {
				b.t.Errorf("%d still in progress", live)
			}
			if other.counts().Moving() != 1 {
				b.t.Error("another customer's export was canceled")
			}
		}},
		{"more than a page", func(b *book) {
			const many = 1203
			for from := 0; from < many; from += 401 {
				page := make([]store.NewExport, 401)
				for i := range page {
					page[i] = b.newExport(fmt.Sprint("c-", from+i), fmt.Sprint("c-", from+i, "@example.com"))
				}
				if _, err := b.Accept(page...); err != nil {
					b.t.Fatal(err)
				}
			}
			if got, err := b.Cancel(b.t.Context(), b.batch, why); err != nil || got.Cancelled != many {
				b.t.Errorf("%+v, %v", got, err)
			}
			if c := b.counts(); c.Cancelled != many || c.Moving() != 0 {
				b.t.Errorf("%+v", c)
			}
			b.auditIsClean()
		}},
	}
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		for i, s := range specs {
			t.Run(s.name, func(t *testing.T) {
				s.test(openBook(t, client, store.BatchSpec{Customer: fmt.Sprint(2000 + i)}))
			})
		}
	})
}

func TestCancelCountsPeopleInICIMS(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{Job: 1709})
		b.accept("waits", "waits@example.com")
		c := b.claimed(b.accept("placed", "placed@example.com"))
		b.step(c, store.Step{To: store.Created, Person: 17})
		b.hold(c, store.Hold{To: store.Retrying, Delay: time.Hour, Reason: "icims_server_error"})
		for _, dryRun := range []bool{true, false} {
			o := why
			o.DryRun = dryRun
			if got, err := b.Cancel(t.Context(), b.batch, o); err != nil || !cmp.Equal(got, store.Cancellation{Cancelled: 2, PeopleLeft: 1}, apart) {
				t.Errorf("dry run %t: %+v, %v", dryRun, got, err)
			}
		}
	})
}
