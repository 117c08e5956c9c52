package worker

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/store"
)

// TestWhoIsTakenForDead beats once a step and asks whether another worker, which holds
// an export, is dead.
func TestWhoIsTakenForDead(t *testing.T) {
	t.Parallel()
	const never = -1
	type beat struct{ at, others int } // in seconds
	for _, tc := range []struct {
		name  string
		beats []beat
		dead  int // from which beat on
	}{
		{"a worker that beats is not", []beat{{0, 0}, {2, 1}, {4, 3}, {6, 5}}, never},
		{"one that has not beaten for seven seconds is at the beat after that", []beat{{0, 0}, {2, 0}, {4, 0}, {6, 0}, {8, 0}, {10, 0}}, 5},
		{"one that comes back ten seconds after an outage is not", []beat{{0, 0}, {30, 0}, {32, 0}, {34, 0}, {36, 0}, {38, 0}, {40, 40}, {42, 42}}, never},
		{"one that an outage has killed is within fifteen seconds", []beat{{0, 0}, {30, 0}, {34, 0}, {38, 0}, {42, 0}, {46, 0}}, 5},
		{"one that a replica behind the clock of its master knows is not", []beat{{20, 20}, {10, 0}, {12, 0}, {14, 0}, {16, 15}, {18, 17}}, never},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := &registry{}
			r := &reconciler{registry: g, silent: map[string]time.Time{}}
			second := func(n int) time.Time { return time.Unix(1_800_000_000+int64(n), 0) }
			for i, b := range tc.beats {
				g.take(store.Fleet{Now: second(b.at), Workers: map[string]store.Peer{"w": {Worker: "w", Beat: second(b.others)}}})
				if got, want := r.dead("w"), tc.dead != never && i >= tc.dead; got != want {
					t.Errorf("at %d s: dead %t, want %t", b.at, got, want)
				}
			}
		})
	}
}
