package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// echo repeats the next script, as go-redis does when a reply is lost.
type echo struct {
	armed bool
	// between runs between the two.
	between func()
}

func (*echo) DialHook(next redis.DialHook) redis.DialHook { return next }
func (*echo) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (e *echo) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err != nil || !e.armed || !strings.HasPrefix(cmd.Name(), "eval") {
			return err
		}
		e.armed = false
		if e.between != nil {
			e.between()
		}
		return next(ctx, cmd)
	}
}

// A claim whose reply was lost is repeated and returns the same result.
func TestRepeatedClaimReturnsTheSameExport(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(b *book) store.Ref{
		"one that has not begun": func(b *book) store.Ref { return b.accept("c-1", "a@example.com") },
		"one that failed before": func(b *book) store.Ref {
			ref := b.accept("c-1", "a@example.com")
			b.hold(b.claimed(ref), store.Hold{To: store.Retrying, Reason: "icims_server_error", Attempts: 1})
			return ref
		},
		"one whose person is there": func(b *book) store.Ref {
			ref := b.accept("c-1", "a@example.com")
			c := b.claimed(ref)
			b.step(c, store.Step{To: store.Creating})
			b.step(c, store.Step{To: store.Created, Person: 7, PersonMade: true})
			b.hold(c, store.Hold{To: store.Deferred})
			return ref
		},
		"one whose write is unknown": func(b *book) store.Ref {
			ref := b.accept("c-1", "a@example.com")
			c := b.claimed(ref)
			b.step(c, store.Step{To: store.Creating})
			b.hold(c, store.Hold{To: store.Unknown})
			return ref
		},
		"one that was retried by hand": func(b *book) store.Ref {
			ref := b.accept("c-1", "a@example.com")
			b.finish(b.claimed(ref), store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused"})
			if err := b.DeadLetters.Revive(b.t.Context(), ref, "on-call", ""); err != nil {
				b.t.Fatal(err)
			}
			return ref
		},
	} {
		for _, between := range []string{"nothing between", "others between"} {
			t.Run(name+", "+between, func(t *testing.T) {
				t.Parallel()
				claims := make([]*store.Claim, 2)
				for i, repeated := range []bool{false, true} {
					client := redistest.Shared(t).Client(t)
					lost := &echo{}
					client.AddHook(lost)
					b := openBook(t, client, store.BatchSpec{})
					// The first claim of a process first checks for a loss of Redis.
					b.claimed(b.accept("another", "another@example.com"))
					ref, rival := prepare(b), b.accept("rival", "a@example.com")
					if between == "others between" {
						lost.between = func() {
							if v := b.claim(rival, longLease).Verdict; v != store.ClaimLocked {
								t.Errorf("between the two, another export of the email is %s", v)
							}
						}
					}
					lost.armed = repeated
					claims[i] = b.claim(ref, store.ClaimOptions{Lease: time.Hour, Worker: "w"})
					if lost.armed {
						t.Fatal("no script was repeated")
					}
					if v := b.claim(ref, longLease).Verdict; v != store.ClaimHeld {
						t.Errorf("another request is %s, want held", v)
					}
					b.finish(claims[i], store.Finish{To: store.Done, Counter: store.CountCreated, Person: 7})
				}
				if diff := cmp.Diff(summary(claims[0]), summary(claims[1])); diff != "" {
					t.Errorf("the repeated claim gives something else (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// claimGist holds the fields a worker uses.
type claimGist struct {
	Candidate  string
	Payload    string
	Verdict    store.Verdict
	State      store.State
	Intent     store.Intent
	Person     int64
	PersonMade bool
	Attempts   int
	Reason     store.Reason
}

func summary(c *store.Claim) claimGist {
	return claimGist{c.Candidate, string(c.Payload), c.Verdict, c.State, c.Intent, c.Person, c.PersonMade, c.Attempts, c.Reason}
}
