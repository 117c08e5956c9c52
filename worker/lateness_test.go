package worker

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seekout/icims-export/store"
)

func TestLateness(t *testing.T) {
	t.Parallel()
	export := func(id string, state store.State) store.Moving {
		return store.Moving{Ref: store.Ref{Customer: "1234", Export: id}, State: state}
	}
	late := []store.Moving{
		export("its own task waits, and serves nobody else", store.Queued),
		export("its task waits, and is a turn", store.Queued),
		export("a turn will come", store.Queued),
		export("nothing will come", store.Queued),
		export("put off, its task lost", store.Retrying),
		export("its lease ran out", store.Placing),
		export("claimed while it was being looked at", store.Claimed),
	}
	now := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	late[5].Lease, late[6].Lease = now.Add(-time.Second), now.Add(time.Minute)
	alive := []bool{true, true, false, false, false, true, true}
	awaits := []bool{false, true, true, false, false, false, false}
	compare := func(turns int, want lateness) {
		t.Helper()
		if diff := cmp.Diff(want, sortLate(late, now, alive, awaits, turns), cmp.AllowUnexported(lateness{}), cmpopts.IgnoreUnexported(store.Moving{})); diff != "" {
			t.Errorf("with %d turns left (-want +got):\n%s", turns, diff)
		}
	}
	well := []string{"its own task waits, and serves nobody else"}
	compare(7, lateness{well: well, patient: []string{"its task waits, and is a turn", "a turn will come"}, lost: late[3:5], interrupted: late[5:6]})
	compare(0, lateness{well: well, patient: []string{"its task waits, and is a turn"}, lost: late[2:5], interrupted: late[5:6]})
}

func TestPatienceGrowsWithTheQueue(t *testing.T) {
	t.Parallel()
	for turns, want := range map[int]time.Duration{1: time.Minute, 3000: 5 * time.Minute, 1_000_000: 10 * time.Minute} {
		if got := patience(turns); got != want {
			t.Errorf("%d turns left: %s, want %s", turns, got, want)
		}
	}
}

func TestWhoseTaskServesAnother(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		export     store.Moving
		generation int
		want       bool
	}{
		{"a handler that has not claimed yet", store.Moving{}, 0, false},
		{"a turn that serves another export", store.Moving{TaskUsed: true}, 0, true},
		{"a task of before the export was served by another turn", store.Moving{Generation: 1}, 0, true},
		{"the export's latest task, though its first one was a turn", store.Moving{Generation: 1, TaskUsed: true}, 1, false},
	} {
		if got := servesAnother(c.export, c.generation); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}
