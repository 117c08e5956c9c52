package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// Tries every pair of states: the scripts allow the transitions in the table, and reject and count
// all others.
func TestEveryPairOfStates(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		var refused int64
		for _, from := range store.States() {
			for _, to := range movesByWorkers {
				candidate := string(from) + "-" + string(to)
				ref := b.accept(candidate, candidate+"@example.com")
				c := b.claimed(ref)
				b.force(ref, "st", string(from))
				err := b.move(c, to)
				// A transition to the current state repeats one whose reply was lost.
				legal := store.CanMove(from, to) || from == to
				switch {
				case legal && err != nil:
					t.Errorf("%s to %s: %v", from, to, err)
				case !legal && !errors.Is(err, store.ErrIllegalMove):
					t.Errorf("%s to %s: %v, want ErrIllegalMove", from, to, err)
				case !legal:
					refused++
				}
			}
		}
		if counted, err := b.Recovery.IllegalMoves(t.Context(), customer); err != nil || counted != refused {
			t.Errorf("%d illegal transitions counted (%v), want %d", counted, err, refused)
		}
	})
}

// movesByWorkers lists the states a worker can move a claimed export to; claims and cancellations
// have their own scripts.
var movesByWorkers = []store.State{
	store.Creating, store.Created, store.Placing, store.Deferred, store.Retrying,
	store.Unknown, store.Done, store.Skipped, store.Dead,
}

func (b *book) move(c *store.Claim, to store.State) error {
	ctx := b.t.Context()
	switch to {
	case store.Creating, store.Created, store.Placing:
		return b.Step(ctx, c, store.Step{To: to, Lease: time.Hour})
	case store.Deferred, store.Retrying, store.Unknown:
		return b.Hold(ctx, c, store.Hold{To: to, Reason: "icims_server_error"})
	default:
		return b.Finish(ctx, c, store.Finish{To: to, Counter: store.CountDead, Person: 1})
	}
}

func TestClaimFollowsTheStateMachine(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		for _, from := range store.States() {
			ref := b.accept(string(from), string(from)+"@example.com")
			b.force(ref, "st", string(from))
			want := store.ClaimEnded
			if store.CanMove(from, store.Claimed) {
				want = store.ClaimOK
			}
			if got := b.claim(ref, longLease).Verdict; got != want {
				t.Errorf("claim of a %s export: %s, want %s", from, got, want)
			}
		}
	})
}
