package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// A frozen worker resumes after another export of the same email has taken the lock: it must not
// write concurrently.
func TestLostLockEndsTheClaim(t *testing.T) {
	t.Parallel()
	for name, freeze := range map[string]func(*book, *store.Claim){
		"whose lease ran out": func(*book, *store.Claim) {},
		"with the person made, not the place": func(b *book, c *store.Claim) {
			b.step(c, store.Step{To: store.Creating})
			b.step(c, store.Step{To: store.Created, Person: 7, PersonMade: true})
		},
	} {
		t.Run("of a worker "+name, func(t *testing.T) {
			clock := newClock(t)
			b := openBookAt(t, clock.client, store.BatchSpec{}, store.WithSimulatedClock())
			first, second := b.accept("c-1", "a@example.com"), b.accept("c-2", "a@example.com")
			c := b.claimed(first)
			freeze(b, c)
			clock.pass(2 * time.Hour)
			d := b.claimed(second)
			b.step(d, store.Step{To: store.Creating})
			ctx := t.Context()
			for what, err := range map[string]error{
				"step to creating": b.Step(ctx, c, store.Step{To: store.Creating, Lease: time.Hour}),
				"step to placing":  b.Step(ctx, c, store.Step{To: store.Placing, Lease: time.Hour}),
				"renew":            b.Renew(ctx, c, time.Hour),
			} {
				if !errors.Is(err, store.ErrStale) {
					t.Errorf("%s: %v, want ErrStale", what, err)
				}
			}
			b.step(d, store.Step{To: store.Created, Person: 8, PersonMade: true})
			b.finish(d, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 8})
			if got := b.claimed(first); got.KnownPerson != 8 {
				t.Errorf("the first continues with known person %d, want 8", got.KnownPerson)
			}
		})
	}
}

// clock is the simulated clock of a Redis.
type clock struct {
	t      *testing.T
	client redis.UniversalClient
	now    time.Time
}

func newClock(t *testing.T) *clock {
	t.Helper()
	c := &clock{t, redistest.Shared(t).Client(t), time.UnixMilli(1_800_000_000_000)}
	c.pass(0)
	return c
}

// pass advances the clock.
func (c *clock) pass(d time.Duration) {
	c.t.Helper()
	c.now = c.now.Add(d)
	if err := c.client.Set(c.t.Context(), store.SimulatedClockKey, c.now.UnixMilli(), 0).Err(); err != nil {
		c.t.Fatal(err)
	}
}

func TestDeathRepeatedAfterARetryIsStale(t *testing.T) {
	t.Parallel()
	b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{})
	ref := b.accept("c-1", "a@example.com")
	c := b.claimed(ref)
	dead := store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused"}
	b.finish(c, dead)
	if err := b.DeadLetters.Revive(t.Context(), ref, "on-call", "mended"); err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(t.Context(), c, dead); !errors.Is(err, store.ErrStale) {
		t.Errorf("the repeated death: %v, want ErrStale", err)
	}
	if n, err := b.Recovery.IllegalMoves(t.Context(), customer); n != 0 || err != nil {
		t.Errorf("%d illegal transitions, %v", n, err)
	}
}
