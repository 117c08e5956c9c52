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

// echo repeats the next script, as go-redis does when an answer is lost.
type echo struct {
	armed bool
	// between is done between the two.
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

// A claim whose answer was lost is repeated: it gives what it gave before.
func TestARepeatedClaimGivesTheSameExport(t *testing.T) {
	t.Parallel()
	const nobody = "nnnnnnnnnn"
	for _, tc := range []struct {
		name string
		// prepare brings about what the claim finds and returns its task.
		prepare func(c *claimCase) reminder
		turns   bool
		ahead   string
	}{
		{"without turns", func(c *claimCase) reminder { return c.accept("a", 3)[0] }, false, ""},
		{"without turns, with the intent to create", func(c *claimCase) reminder { return c.accept("a", 3)[0] }, false, nobody},
		{"a turn that serves its own export", func(c *claimCase) reminder { return c.accept("a", 3)[0] }, true, ""},
		{"a turn that serves its own export, with the intent to create", func(c *claimCase) reminder { return c.accept("a", 3)[0] }, true, nobody},
		{"a turn that serves another export of its batch", func(c *claimCase) reminder { return c.accept("a", 5)[3] }, true, ""},
		{"a turn that serves another batch", func(c *claimCase) reminder {
			tasks := c.accept("a", 5)
			c.accept("b", 5)
			c.claim(tasks[0], true)
			return tasks[1]
		}, true, nobody},
		{"a turn whose own export has ended", func(c *claimCase) reminder {
			tasks := c.accept("a", 5)
			first := c.claim(tasks[4], true)
			c.finish(first)
			return tasks[0]
		}, true, ""},
		{"a turn whose own export is in work", func(c *claimCase) reminder {
			tasks := c.accept("a", 5)
			c.claim(tasks[4], true)
			return tasks[0]
		}, true, ""},
		{"a turn that serves what was put off", func(c *claimCase) reminder {
			tasks := c.accept("a", 2)
			held := c.claim(tasks[0], true)
			c.claim(tasks[1], true)
			c.must(c.ledger.Hold(c.Context(), held, store.Hold{To: store.Retrying, Reason: "icims_server_error", Attempts: 1}))
			return c.spare()
		}, true, ""},
		{"the task of an export that was begun before", func(c *claimCase) reminder {
			r := c.accept("a", 2)[0]
			held := c.claim(r, false)
			c.must(c.ledger.Hold(c.Context(), held, store.Hold{To: store.Retrying, Reason: "icims_server_error", Attempts: 1}))
			return r
		}, false, ""},
	} {
		for _, between := range []string{"nothing between", "others between"} {
			t.Run(tc.name+", "+between, func(t *testing.T) {
				t.Parallel()
				// What the claim gives that is not repeated.
				plain := newClaimCase(t)
				want := plain.claimAhead(tc.prepare(plain), tc.turns, tc.ahead)
				if want.Verdict != store.ClaimOK {
					t.Fatalf("the claim is %s", want.Verdict)
				}

				c := newClaimCase(t)
				r := tc.prepare(c)
				c.echo.armed = true
				if between == "others between" && tc.turns {
					c.echo.between = func() { c.claim(c.spare(), true) }
				}
				got := c.claimAhead(r, tc.turns, tc.ahead)
				if diff := cmp.Diff(summary(want), summary(got)); diff != "" {
					t.Errorf("the repeated claim gives something else (-want +got):\n%s", diff)
				}
				c.finish(got)
			})
		}
	}
}

// claimGist is what a worker goes by.
type claimGist struct {
	Candidate           string
	Verdict             store.Verdict
	State               store.State
	Intent              store.Intent
	Generation, Attempt int
	Neighbours          int
}

func summary(c *store.Claim) claimGist {
	return claimGist{c.Candidate, c.Verdict, c.State, c.Intent, c.Generation, c.Attempts, len(c.Neighbours)}
}

type claimCase struct {
	*testing.T
	ledger *store.Ledger
	echo   *echo
}

func newClaimCase(t *testing.T) *claimCase {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	client := redistest.Shared(t).Client(t)
	c := &claimCase{T: t, ledger: store.NewLedger(client, keys), echo: &echo{}}
	client.AddHook(c.echo)
	// The first claim of a process for a customer looks first whether Redis went back.
	c.claim(c.spare(), true)
	return c
}

func (c *claimCase) accept(batch string, n int) []reminder {
	c.Helper()
	return acceptMany(c.T, c.ledger, batch, n)
}

// spare is a task whose export is gone: a turn.
func (c *claimCase) spare() reminder {
	return reminder{store.Ref{Customer: customer, Export: c.ledger.Keys().ExportID("gone", "gone")}, 0}
}

func (c *claimCase) claim(r reminder, turns bool) *store.Claim {
	c.Helper()
	return c.claimAhead(r, turns, "")
}

func (c *claimCase) claimAhead(r reminder, turns bool, ahead string) *store.Claim {
	c.Helper()
	o := store.ClaimOptions{Lease: time.Minute, Settle: time.Hour, ByTurns: turns, Generation: r.generation, Worker: "w", Neighbours: 5}
	for _, key := range []string{"a", "b"} {
		if ahead != "" {
			o.Ahead = append(o.Ahead, store.Ahead{Batch: store.BatchID(c.ledger.Keys().BatchID(customer, key)), Rows: ahead})
		}
	}
	claim, err := c.ledger.Claim(c.Context(), r.Ref, o)
	c.must(err)
	return claim
}

func (c *claimCase) finish(claim *store.Claim) {
	c.Helper()
	c.must(c.ledger.Finish(c.Context(), claim, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 1}))
}

func (c *claimCase) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}
