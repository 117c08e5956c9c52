package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// lifetimes returns the time to live of each key of the batch, and of each timeline of its exports;
// -1 for none.
func (b *book) lifetimes() map[string]time.Duration {
	b.t.Helper()
	ctx, left := b.t.Context(), map[string]time.Duration{}
	own := "ix:{" + customer + "}:b:" + string(b.batch)[len(customer)+1:]
	stories := "ix:{" + customer + "}:s:"
	for _, entry := range redistest.Dump(b.t, b.redis) {
		if strings.HasPrefix(entry.Key, own) || strings.HasPrefix(entry.Key, stories) {
			left[entry.Key] = b.redis.TTL(ctx, entry.Key).Val()
		}
	}
	return left
}

// A batch of 3 exports is small enough to visit each of its rows, one of 600 is not.
func TestBatchKeysExpireTogether(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{3, 600} {
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			t.Parallel()
			redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
				b := openBook(t, client, store.BatchSpec{IdempotencyKey: "k"})
				var refs []store.Ref
				for i := range rows {
					refs = append(refs, b.accept(fmt.Sprint("c-", i), fmt.Sprintf("c%d@example.com", i)))
				}
				for _, ref := range refs[1:] {
					b.finish(b.claimed(ref), store.Finish{To: store.Done, Counter: store.CountCreated, Person: 7, Entry: &store.Entry{What: "done"}})
				}
				die := func() {
					t.Helper()
					b.finish(b.claimed(refs[0]), store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused", Entry: &store.Entry{What: "dead"}})
				}
				kept := func(when string) {
					t.Helper()
					for key, left := range b.lifetimes() {
						if left != -1 {
							t.Errorf("%s: %s goes in %s", when, key, left)
						}
					}
				}
				die()
				b.refuse(false, refusedRow(rows+1, "c-refused"))
				kept("with a dead letter")
				if got := b.audit(); len(got.Violations) > 0 {
					t.Errorf("%+v", got.Violations)
				}

				// Discarding it makes the batch expire; accepting it again would keep the batch.
				if err := b.DeadLetters.Discard(t.Context(), refs[0], "somebody", "a test"); err != nil {
					t.Fatal(err)
				}
				left, stories := b.lifetimes(), 0
				if len(left) < 5 { // the batch, its rows, list of timelines, refused rows and outcomes
					t.Errorf("after its end there are %v", left)
				}
				for key, ttl := range left {
					if ttl <= store.DefaultRetention-time.Hour || ttl > store.DefaultRetention {
						t.Errorf("after its end: %s goes in %s", key, ttl)
					}
					if strings.Contains(key, "}:s:") {
						stories++
					}
				}
				if stories != rows {
					t.Errorf("%d stories, want %d", stories, rows)
				}
				b.accept("more", "more@example.com")
				kept("with another export")
			})
		})
	}
}
