package store_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestOpenBatches(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		open := func(key string) *book { return openBook(t, client, store.BatchSpec{IdempotencyKey: key}) }
		listed := func(b *book) map[store.BatchID]int {
			t.Helper()
			batches, err := b.Batches.AllOpen(t.Context(), customer)
			if err != nil {
				t.Fatal(err)
			}
			moving := map[store.BatchID]int{}
			for _, b := range batches {
				moving[b.ID] = b.Moving()
			}
			return moving
		}
		old := open("old")
		if got := listed(old); len(got) != 0 {
			t.Errorf("before anything was accepted: %v", got)
		}
		waiting := old.accept("c-1", "a@example.com")
		// In between are more finished ones than are read at once.
		for i := range 250 {
			b := open(fmt.Sprint("finished ", i))
			if i%50 == 0 {
				b.finish(b.claimed(b.accept(fmt.Sprint("f-", i), fmt.Sprint("f", i, "@example.com"))), store.Finish{To: store.Done, Counter: store.CountCreated, Person: 1})
			}
		}
		recent := open("recent")
		recent.accept("c-2", "b@example.com")
		recent.accept("c-3", "c@example.com")
		if diff := cmp.Diff(map[store.BatchID]int{old.batch: 1, recent.batch: 2}, listed(old)); diff != "" {
			t.Error(diff)
		}
		old.finish(old.claimed(waiting), store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused"})
		if diff := cmp.Diff(map[store.BatchID]int{recent.batch: 2}, listed(old)); diff != "" {
			t.Errorf("a dead letter does not move: %s", diff)
		}
	})
}
