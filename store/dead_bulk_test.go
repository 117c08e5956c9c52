package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// deadOnes creates n dead letters.
func (b *book) deadOnes(n int) []string {
	b.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ref := b.accept(fmt.Sprintf("c-%d", i), fmt.Sprintf("p%d@example.com", i))
		ids[i] = ref.Export
		b.finish(b.claimed(ref), store.Finish{
			To: store.Dead, Counter: store.CountDead, Reason: "icims_refused",
			Entry: &store.Entry{What: "dead", Reason: "icims_refused", Attempt: i},
		})
	}
	return ids
}

func TestManyDeadLetters(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		ids := b.deadOnes(7)

		t.Run("their last entries come in order", func(t *testing.T) {
			entries, err := b.DeadLetters.LastEntries(t.Context(), customer, append([]string{"none"}, ids...))
			if err != nil || entries[0] != nil {
				t.Fatalf("%v, %v", entries, err)
			}
			for i, e := range entries[1:] {
				if e == nil || e.Attempt != i {
					t.Errorf("entry %d is %+v", i, e)
				}
			}
		})
		t.Run("a letter is found by its export, with its data", func(t *testing.T) {
			ref := store.Ref{Customer: customer, Export: ids[3]}
			d, err := b.DeadLetters.Get(t.Context(), ref)
			if err != nil || d.Candidate != "c-3" || d.Batch != b.batch || d.Reason != "icims_refused" {
				t.Errorf("%+v, %v", d, err)
			}
			if data, err := b.DeadLetters.Payload(t.Context(), ref); err != nil || string(data) != "payload of c-3" {
				t.Errorf("payload %q, %v", data, err)
			}
		})
		t.Run("all are revived in one call, others are skipped, and the script need not be loaded", func(t *testing.T) {
			if err := client.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			revived, err := b.DeadLetters.ReviveAll(t.Context(), customer, []string{ids[0], "none", ids[1], ids[0]}, "somebody", "a test")
			if err != nil || !slices.Equal(revived, ids[:2]) {
				t.Errorf("%+v, %v", revived, err)
			}
			story, err := b.Timeline(t.Context(), store.Ref{Customer: customer, Export: ids[1]})
			if err != nil || story[len(story)-1].What != "retried" || story[len(story)-1].Why != "a test" {
				t.Errorf("%+v, %v", story, err)
			}
		})
		t.Run("they are discarded at once, and their data with them", func(t *testing.T) {
			n, err := b.DeadLetters.DiscardAll(t.Context(), customer, ids[1:4], "somebody", "a test")
			if err != nil || n != 2 {
				t.Errorf("%d, %v", n, err)
			}
			ref := store.Ref{Customer: customer, Export: ids[3]}
			if _, err := b.DeadLetters.Payload(t.Context(), ref); !errors.Is(err, store.ErrGone) {
				t.Errorf("payload: %v", err)
			}
			if _, err := b.DeadLetters.Get(t.Context(), ref); !errors.Is(err, store.ErrNotDead) {
				t.Errorf("dead letter: %v", err)
			}
		})
		if n, err := b.DeadLetters.Count(t.Context(), customer); err != nil || n != 3 {
			t.Errorf("%d dead letters are left, %v", n, err)
		}
		if got := b.audit(); len(got.Violations) > 0 {
			t.Errorf("violations %+v", got.Violations)
		}
	})
}

func TestDeadLettersPageByPage(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	b := openBook(t, client, store.BatchSpec{})
	// More than one page of letters that died at the same time, among others.
	const many = 1230
	ids := b.deadOnes(many)
	sameMoment := make([]redis.Z, many)
	for i, id := range ids {
		sameMoment[i] = redis.Z{Score: 1e12, Member: id}
		if i < 10 {
			sameMoment[i].Score += float64(i - 5)
		}
	}
	if err := client.ZAdd(t.Context(), "ix:{"+customer+"}:dead", sameMoment...).Err(); err != nil {
		t.Fatal(err)
	}
	list := func(f store.DeadFilter, most int) []store.DeadLetter {
		var page []store.DeadLetter
		err := b.DeadLetters.Each(t.Context(), customer, f, func(d store.DeadLetter) bool {
			page = append(page, d)
			return len(page) < most
		})
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	all := list(store.DeadFilter{}, many+1)
	for _, size := range []int{7, 500, many} {
		t.Run(fmt.Sprintf("pages of %d make up the whole", size), func(t *testing.T) {
			var got []store.DeadLetter
			var f store.DeadFilter
			for {
				page := list(f, size)
				if len(page) == 0 {
					break
				}
				got = append(got, page...)
				f.After = page[len(page)-1]
			}
			if len(got) != many || !slices.Equal(got, all) {
				t.Errorf("%d of %d, or in another order", len(got), many)
			}
		})
	}
	t.Run("a page continues after a deleted letter", func(t *testing.T) {
		if err := b.DeadLetters.Discard(t.Context(), all[600].Ref, "x", "y"); err != nil {
			t.Fatal(err)
		}
		if rest := list(store.DeadFilter{After: all[600]}, many); len(rest) != many-601 || rest[0] != all[601] {
			t.Errorf("%d letters", len(rest))
		}
	})
	t.Run("named letters are read in order, others are left out", func(t *testing.T) {
		got, err := b.DeadLetters.GetAll(t.Context(), customer, []string{all[700].Export, "none", all[600].Export, all[3].Export})
		if err != nil || !slices.Equal(got, []store.DeadLetter{all[700], all[3]}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
