package store_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// deadOnes gives up so many exports.
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
			entries, err := b.LastEntries(t.Context(), customer, append([]string{"none"}, ids...))
			if err != nil || entries[0] != nil {
				t.Fatalf("%v, %v", entries, err)
			}
			for i, e := range entries[1:] {
				if e == nil || e.Attempt != i {
					t.Errorf("entry %d is %+v", i, e)
				}
			}
		})
		t.Run("one is found by its export, with its data", func(t *testing.T) {
			ref := store.Ref{Customer: customer, Export: ids[3]}
			d, err := b.DeadLetter(t.Context(), ref)
			if err != nil || d.Candidate != "c-3" || d.Batch != b.batch || d.Reason != "icims_refused" {
				t.Errorf("%+v, %v", d, err)
			}
			if data, err := b.Payload(t.Context(), ref); err != nil || string(data) != "payload of c-3" {
				t.Errorf("payload %q, %v", data, err)
			}
		})
		t.Run("they are revived at once, those that are dead no more passed over, also without the script", func(t *testing.T) {
			if err := client.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			revived, err := b.ReviveAll(t.Context(), customer, []string{ids[0], "none", ids[1], ids[0]}, "somebody", "a test")
			if err != nil || len(revived) != 2 || revived[0] != (store.Revived{Export: ids[0], Generation: 1}) || revived[1].Export != ids[1] {
				t.Errorf("%+v, %v", revived, err)
			}
			story, err := b.Story(t.Context(), store.Ref{Customer: customer, Export: ids[1]})
			if err != nil || story[len(story)-1].What != "retried" || story[len(story)-1].Why != "a test" {
				t.Errorf("%+v, %v", story, err)
			}
		})
		t.Run("they are discarded at once, and their data with them", func(t *testing.T) {
			n, err := b.DiscardAll(t.Context(), customer, ids[1:4], "somebody", "a test")
			if err != nil || n != 2 {
				t.Errorf("%d, %v", n, err)
			}
			ref := store.Ref{Customer: customer, Export: ids[3]}
			if _, err := b.Payload(t.Context(), ref); !errors.Is(err, store.ErrGone) {
				t.Errorf("payload: %v", err)
			}
			if _, err := b.DeadLetter(t.Context(), ref); !errors.Is(err, store.ErrNotDead) {
				t.Errorf("dead letter: %v", err)
			}
		})
		if n, err := b.CountDead(t.Context(), customer); err != nil || n != 3 {
			t.Errorf("%d dead letters are left, %v", n, err)
		}
		if got := b.audit(); len(got.Violations) > 0 {
			t.Errorf("violations %+v", got.Violations)
		}
	})
}
