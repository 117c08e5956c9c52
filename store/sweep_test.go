package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

const day = 24 * time.Hour

// sweptBook is a book with a simulated clock.
type sweptBook struct {
	*book
	now time.Time
}

func openSweptBook(t *testing.T, client redis.UniversalClient, spec store.BatchSpec) *sweptBook {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	s := &sweptBook{&book{Ledger: store.NewLedger(client, keys, store.WithSimulatedClock()), t: t, redis: client}, time.UnixMilli(1_700_000_000_000)}
	s.pass(0)
	spec.Customer = customer
	if s.batch, _, err = s.Batches.Open(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sweptBook) pass(d time.Duration) {
	s.t.Helper()
	s.now = s.now.Add(d)
	if err := s.redis.Set(s.t.Context(), store.SimulatedClockKey, s.now.UnixMilli(), 0).Err(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sweptBook) sweep() store.Swept {
	s.t.Helper()
	swept, err := s.Recovery.SweepBatches(s.t.Context(), customer, day)
	if err != nil {
		s.t.Fatal(err)
	}
	return swept
}

func (s *sweptBook) read() store.Batch {
	s.t.Helper()
	b, err := s.Batches.Get(s.t.Context(), s.batch)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *sweptBook) done(ref store.Ref) {
	s.t.Helper()
	s.finish(s.claimed(ref), store.Finish{To: store.Done, Counter: store.CountCreated, Person: 7})
}

// eachClock runs a suite on backends that support a simulated clock: in a cluster, its key is on
// one node only.
func eachClock(t *testing.T, suite func(t *testing.T, client redis.UniversalClient)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) { suite(t, redistest.Start(t).Client(t)) })
	t.Run("miniredis", func(t *testing.T) { suite(t, redistest.Miniredis(t)) })
}

func TestBatchOfAVanishedProducerIsClosed(t *testing.T) {
	t.Parallel()
	eachClock(t, func(t *testing.T, client redis.UniversalClient) {
		spec := store.BatchSpec{IdempotencyKey: "k"}
		s := openSweptBook(t, client, spec)
		first := s.accept("c-1", "one@example.com")
		s.done(first)
		s.pass(20 * time.Hour)
		second := s.accept("c-2", "two@example.com")
		s.pass(23 * time.Hour)
		if swept := s.sweep(); swept != (store.Swept{}) || !s.read().Closed.IsZero() {
			t.Fatalf("23 hours after the last row: %+v, %+v", swept, s.read())
		}
		s.accept("c-1", "one@example.com") // submitted again: the producer is active
		s.pass(23 * time.Hour)
		if swept := s.sweep(); swept != (store.Swept{}) {
			t.Fatalf("23 hours after a row was sent again: %+v", swept)
		}
		s.pass(time.Hour)
		if swept := s.sweep(); swept != (store.Swept{Closed: 1}) {
			t.Fatalf("a day after it: %+v", swept)
		}
		if b := s.read(); !b.Abandoned || b.Closed.IsZero() || !b.Ended.IsZero() || b.Moving() != 1 {
			t.Errorf("closed: %+v", b)
		}
		s.done(second)
		if b := s.read(); b.Ended.IsZero() || b.Created != 2 {
			t.Errorf("at the end: %+v", b)
		}
		if len(s.lifetimes()) == 0 {
			t.Error("nothing of the batch is left")
		}
		for key, left := range s.lifetimes() {
			if left <= 0 {
				t.Errorf("%s is kept for ever", key)
			}
		}

		// The same key can still complete it.
		spec.Customer = customer
		if id, again, err := s.Batches.Open(t.Context(), spec); err != nil || !again || id != s.batch {
			t.Fatalf("opened again: %s, %t, %v", id, again, err)
		}
		third := s.accept("c-3", "three@example.com")
		if err := s.Batches.Close(t.Context(), s.batch, 1); err != nil {
			t.Fatal(err)
		}
		s.done(third)
		if b := s.read(); b.Abandoned || b.Ended.IsZero() || b.Accepted != 3 || b.Created != 3 || b.Refused != 1 || !b.Closed.Equal(s.now) {
			t.Errorf("completed: %+v", b)
		}
		if got := s.audit(); len(got.Violations) > 0 {
			t.Errorf("%+v", got.Violations)
		}
	})
}

func TestExpiredBatchesLeaveTheLists(t *testing.T) {
	t.Parallel()
	s := openSweptBook(t, redistest.Start(t).Client(t), store.BatchSpec{})
	kept := s.batch
	s.accept("c-1", "one@example.com")
	local := func(id store.BatchID) string { return string(id)[len(customer)+1:] }
	// More than a page of them were opened at the same time.
	for i := range 250 {
		id, _, err := s.Batches.Open(t.Context(), store.BatchSpec{Customer: customer, IdempotencyKey: fmt.Sprint(i), Test: i%5 == 0})
		if err != nil {
			t.Fatal(err)
		}
		if i < 230 {
			// As if it had expired.
			s.redis.Del(t.Context(), "ix:{"+customer+"}:b:"+local(id))
		}
	}
	if swept := s.sweep(); swept != (store.Swept{Forgotten: 230}) {
		t.Errorf("%+v", swept)
	}
	listed, tests := s.redis.ZCard(t.Context(), "ix:{"+customer+"}:batches").Val(), s.redis.ZCard(t.Context(), "ix:{"+customer+"}:tests").Val()
	if listed != 17 || tests != 4 {
		t.Errorf("%d batches and %d tests are listed", listed, tests)
	}
	// A batch with broken keys does not block the others.
	s.redis.HSet(t.Context(), "ix:{"+customer+"}:b:"+local(kept), "accepted", "some")
	s.pass(day)
	if swept := s.sweep(); swept.Closed != 21 || swept.Broken != 1 {
		t.Errorf("%+v", swept)
	}
}
