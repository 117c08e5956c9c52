package store_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// iCIMS's responses repeat what was sent.
func TestICIMSMessagesEndWithTheDeadLetter(t *testing.T) {
	t.Parallel()
	const said = "ottoline@example.com is not welcome"
	refused := func(to store.State, counter store.Counter) store.Finish {
		return store.Finish{To: to, Counter: counter, Reason: "icims_field_refused", Entry: &store.Entry{
			At: time.Now(), What: string(to), Reason: "icims_field_refused",
			Calls: []store.Called{
				{Op: "people.search", Status: 200},
				{Op: "people.create", Status: 400, Problems: []string{"code 4 on email: " + said, "no code: " + said}},
			},
		}}
	}
	for name, end := range map[string]func(*testing.T, *book, store.Ref){
		"discarded": func(t *testing.T, b *book, ref store.Ref) {
			t.Helper()
			must(t, b.DeadLetters.Discard(t.Context(), ref, "ana", "not needed"))
		},
		"retried with success": func(t *testing.T, b *book, ref store.Ref) {
			t.Helper()
			if err := b.DeadLetters.Revive(t.Context(), ref, "ana", "mended"); err != nil {
				t.Fatal(err)
			}
			b.finish(b.claimed(ref), store.Finish{To: store.Done, Counter: store.CountCreated, Person: 7})
		},
		"sent to another job": func(t *testing.T, b *book, ref store.Ref) {
			t.Helper()
			if sent := b.transfer(1709, ref); len(sent) != 1 {
				t.Fatalf("sent %v", sent)
			}
		},
		"erased": func(t *testing.T, b *book, ref store.Ref) {
			t.Helper()
			if _, err := b.Candidates.Erase(t.Context(), customer, "c-1", store.EraseOptions{}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
				b := openBook(t, client, store.BatchSpec{Job: 999})
				ref := b.accept("c-1", "ottoline@example.com")
				b.finish(b.claimed(ref), refused(store.Dead, store.CountDead))
				must(t, b.Batches.Close(t.Context(), b.batch, 0))
				told := func() string {
					t.Helper()
					story, err := b.Timeline(t.Context(), ref)
					must(t, err)
					text, err := json.Marshal(story)
					must(t, err)
					return string(text)
				}
				if before := told(); strings.Count(before, said) != 2 || !strings.Contains(before, "code 4 on email: ") {
					t.Fatalf("the timeline of a dead letter has %s", before)
				}
				end(t, b, ref)
				switch after := told(); {
				case strings.Contains(after, said):
					t.Errorf("iCIMS's words are left: %s", after)
				case name != "erased" && !strings.Contains(after, "code 4 on email"):
					t.Errorf("the code is gone: %s", after)
				}
				keys, err := client.Keys(t.Context(), "ix:{"+customer+"}:words:*").Result()
				if err != nil || len(keys) > 0 {
					t.Errorf("left in Redis: %v, %v", keys, err)
				}
			})
		})
	}
}
