package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// Neighbours are the exports of a chunk that need a look-up.
func TestNeighboursNeedALookUp(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		include bool
		want    []string
	}{
		"exported ones left out": {false, []string{"c-0", "waits", "claimed", "deferred", "retrying"}},
		"exported ones included": {true, []string{"c-0", "waits", "claimed", "deferred", "retrying", "marked"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
				b := openBook(t, client, store.BatchSpec{})
				b.finish(b.claimed(b.accept("marked", "m@example.com")), store.Finish{To: store.Done, Counter: store.CountCreated, Person: 1})
				var err error
				b.batch, _, err = b.Batches.Open(t.Context(), store.BatchSpec{Customer: customer, IdempotencyKey: "next", IncludePreviouslyExported: tc.include})
				if err != nil {
					t.Fatal(err)
				}
				first := b.accept("c-0", "0@example.com")
				b.accept("waits", "1@example.com")
				b.claimed(b.accept("claimed", "2@example.com"))
				b.hold(b.claimed(b.accept("deferred", "3@example.com")), store.Hold{To: store.Deferred, Delay: time.Hour})
				b.hold(b.claimed(b.accept("retrying", "4@example.com")), store.Hold{To: store.Retrying, Delay: time.Hour, Attempts: 1})
				b.accept("marked", "5@example.com")

				creating := b.claimed(b.accept("creating", "6@example.com"))
				b.step(creating, store.Step{To: store.Creating})
				created := b.claimed(b.accept("person", "7@example.com"))
				b.step(created, store.Step{To: store.Creating})
				b.step(created, store.Step{To: store.Created, Person: 7, PersonMade: true})
				b.hold(created, store.Hold{To: store.Retrying, Delay: time.Hour})
				lost := b.claimed(b.accept("unknown", "8@example.com"))
				b.step(lost, store.Step{To: store.Creating})
				b.hold(lost, store.Hold{To: store.Unknown, Delay: time.Hour})
				b.finish(b.claimed(b.accept("dead", "9@example.com")), store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused"})
				b.finish(b.claimed(b.accept("done", "10@example.com")), store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore})
				unreadable := b.accept("unreadable", "11@example.com")
				gone := b.accept("data is gone", "12@example.com")
				b.accept("beyond", "13@example.com")
				for ref, data := range map[store.Ref]string{unreadable: "no data of ours", gone: ""} {
					if err := client.Set(t.Context(), "ix:{"+customer+"}:p:"+ref.Export, data, 0).Err(); err != nil {
						t.Fatal(err)
					}
				}

				c := b.claimed(first)
				names := func(from, n int) (got []string) {
					t.Helper()
					found, err := b.Neighbors(t.Context(), c, from, n)
					if err != nil {
						t.Fatal(err)
					}
					for _, f := range found {
						if name := string(f.Payload[len("payload of "):]); f.Export != b.Keys().ExportID(string(b.batch), name) {
							t.Errorf("%s is %s", f.Export, name)
						} else {
							got = append(got, name)
						}
					}
					return got
				}
				if got := names(0, 13); !slices.Equal(got, tc.want) {
					t.Errorf("neighbours %q, want %q", got, tc.want)
				}
				if got := names(13, 50); !slices.Equal(got, []string{"beyond"}) {
					t.Errorf("of the next chunk %q", got)
				}
				if got := names(14, 50); len(got) != 0 {
					t.Errorf("past the end %q", got)
				}
			})
		})
	}
}
