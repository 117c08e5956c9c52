package store_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func (b *book) costs() store.Costs {
	b.t.Helper()
	costs, err := b.Batches.Costs(b.t.Context(), b.batch.Customer())
	if err != nil {
		b.t.Fatal(err)
	}
	return costs
}

// spend finishes an export with a number of calls.
func (b *book) spend(candidate string, calls int) {
	b.t.Helper()
	b.finish(b.claimed(b.accept(candidate, candidate+"@example.com")), store.Finish{To: store.Done, Counter: store.CountCreated, Person: 1, Calls: calls})
}

func TestCosts(t *testing.T) {
	t.Parallel()
	done := store.Finish{To: store.Done, Counter: store.CountCreated, Person: 1, Calls: 2}
	t.Run("without measurements an export has the assumed cost", func(t *testing.T) {
		b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{Job: 1})
		for kind, want := range map[store.Kind]float64{
			store.KindOf(1, false): 2.04, store.KindOf(1, true): 2.04, store.KindOf(0, false): 1.04, store.KindOf(0, true): 1.04,
		} {
			if got := b.costs().Each(kind); math.Abs(got-want) > 1e-9 {
				t.Errorf("%s costs %v, want %v", kind, got, want)
			}
		}
	})
	t.Run("calls are counted for batch and kind, also those of an attempt that was put off", func(t *testing.T) {
		b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{Job: 1})
		ref := b.accept("c-1", "a@example.com")
		put := store.Hold{To: store.Retrying, Attempts: 1, Calls: 3}
		c := b.claimed(ref)
		b.hold(c, put)
		b.hold(c, put) // its reply was lost
		b.finish(b.claimed(ref), done)
		skipped := b.claimed(b.accept("c-2", "b@example.com"))
		b.finish(skipped, store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore})
		if got := b.counts().Calls; got != 5 {
			t.Errorf("the batch counts %d calls, want 5", got)
		}
		if got, want := b.costs()[store.KindOf(1, false)], (store.Cost{Exports: 1, Calls: 5}); got != want {
			t.Errorf("got %+v, want %+v: a skipped one is none of the kind", got, want)
		}
	})
	t.Run("a claim that was lost counts nothing", func(t *testing.T) {
		b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{Job: 1})
		ref := b.accept("c-1", "a@example.com")
		stale := b.claimed(ref)
		b.force(ref, "le", "1")
		b.claimed(ref)
		if err := b.Finish(t.Context(), stale, done); err == nil {
			t.Fatal("a stale claim finished the export")
		}
		if got := b.counts().Calls; got != 0 {
			t.Errorf("%d calls are counted", got)
		}
	})
	t.Run("kinds do not mix", func(t *testing.T) {
		client := redistest.Shared(t).Client(t)
		openBook(t, client, store.BatchSpec{Job: 1, IdempotencyKey: "job"}).spend("c-1", 2)
		openBook(t, client, store.BatchSpec{Job: 1, IdempotencyKey: "again", IncludePreviouslyExported: true}).spend("c-2", 4)
		b := openBook(t, client, store.BatchSpec{IdempotencyKey: "prospects"})
		b.spend("c-3", 8)
		for kind, want := range map[store.Kind]int{store.KindOf(1, false): 2, store.KindOf(1, true): 4, store.KindOf(0, false): 8, store.KindOf(0, true): 0} {
			if got := b.costs()[kind].Calls; got != want {
				t.Errorf("%s: %d calls, want %d", kind, got, want)
			}
		}
	})
	t.Run("older exports weigh less", func(t *testing.T) {
		b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{})
		for i := range 2000 {
			b.spend(fmt.Sprintf("cheap-%d", i), 1)
		}
		kind := store.KindOf(0, false)
		if got := b.costs()[kind]; got.Exports >= 1000 || got.Calls != got.Exports {
			t.Errorf("kept are %+v", got)
		}
		for i := range 2000 {
			b.spend(fmt.Sprintf("dear-%d", i), 3)
		}
		if got := b.costs().Each(kind); got < 2.4 || got > 3 {
			t.Errorf("an export is said to take %.2f calls; the last 2000 took 3", got)
		}
	})
}

func TestRemainingCalls(t *testing.T) {
	t.Parallel()
	costs := store.Costs{store.KindOf(1, false): {Exports: 980, Calls: 2000}}
	for name, c := range map[string]struct {
		batch store.Batch
		want  float64
	}{
		"a batch that has not begun goes by its kind":       {store.Batch{Job: 1, Accepted: 1000}, 2040},
		"of another kind, by what such exports cost":        {store.Batch{Accepted: 1000}, 1040},
		"one that is under way goes by itself":              {store.Batch{Job: 1, Accepted: 2000, Created: 1000, Calls: 4000}, 1000 * (4000 + 20*2.0408) / 1020},
		"one that skips nearly all needs little":            {store.Batch{Job: 1, Accepted: 2000, Skipped: 980, Calls: 0}, 1020 * (20 * 2.0408) / 1000},
		"one that has ended needs none":                     {store.Batch{Job: 1, Accepted: 10, Created: 9, Dead: 1, Calls: 25}, 0},
		"the first few do not outweigh what its kind costs": {store.Batch{Job: 1, Accepted: 102, Created: 2, Calls: 20}, 100 * (20 + 20*2.0408) / 22},
	} {
		t.Run(name, func(t *testing.T) {
			if got := costs.Remaining(c.batch); math.Abs(got-c.want) > 1+c.want/1000 {
				t.Errorf("%.1f calls, want %.1f", got, c.want)
			}
		})
	}
}
