package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// quick checks a suspected violation again immediately: nothing changes in these tests.
var quick = store.CheckOptions{Late: 5 * time.Minute}

func (b *book) audit() store.CustomerCheck {
	b.t.Helper()
	audits, err := b.Checks.Run(b.t.Context(), []string{customer}, quick)
	if err != nil {
		b.t.Fatal(err)
	}
	return audits[0]
}

// lives creates exports in each state, by legal transitions only.
type lives struct{ queued, working, retrying, done, skipped, dead, discarded store.Ref }

func (b *book) lives() lives {
	b.t.Helper()
	v := lives{
		queued: b.accept("c-queued", "queued@example.com"), working: b.accept("c-working", "working@example.com"),
		retrying: b.accept("c-retrying", "retrying@example.com"), done: b.accept("c-done", "done@example.com"),
		skipped: b.accept("c-skipped", "skipped@example.com"), dead: b.accept("c-dead", "dead@example.com"),
		discarded: b.accept("c-discarded", "discarded@example.com"),
	}
	b.claimed(v.working)
	b.hold(b.claimed(v.retrying), store.Hold{To: store.Retrying, Delay: time.Minute, Reason: "icims_timeout", Attempts: 1})
	c := b.claimed(v.done)
	b.step(c, store.Step{To: store.Creating})
	b.finish(c, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Entry: &store.Entry{What: "done"}})
	b.finish(b.claimed(v.skipped), store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore, Person: 18})
	for _, ref := range []store.Ref{v.dead, v.discarded} {
		b.finish(b.claimed(ref), store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused", Entry: &store.Entry{What: "dead"}})
	}
	if err := b.DeadLetters.Discard(b.t.Context(), v.discarded, "somebody", "a test"); err != nil {
		b.t.Fatal(err)
	}
	if err := b.Batches.Close(b.t.Context(), b.batch, 0); err != nil {
		b.t.Fatal(err)
	}
	return v
}

func TestAudit(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		b.lives()
		got := b.audit()
		if len(got.Violations) > 0 {
			t.Fatalf("violations %+v", got.Violations)
		}
		got.Violations = nil
		want := store.CustomerCheck{Customer: customer, Batches: 1, Accepted: 7, Done: 1, Skipped: 1, Dead: 1, Cancelled: 1, Moving: 3, Markers: 1}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestCheckFindsPlantedViolations(t *testing.T) {
	t.Parallel()
	const p = "ix:{" + customer + "}:"
	type plant struct {
		what string
		do   func(ctx context.Context, r redis.UniversalClient, b *book, v lives) error
		want []string // kinds
	}
	local := func(b *book) string { return string(b.batch)[len(customer)+1:] }
	for _, c := range []plant{
		{"a record and its data vanish", func(ctx context.Context, r redis.UniversalClient, _ *book, v lives) error {
			return r.Del(ctx, p+"x:"+v.queued.Export, p+"p:"+v.queued.Export).Err()
		}, []string{store.ViolationLost, store.ViolationSum, store.ViolationDueStray}},
		{"a counter of a batch is bumped", func(ctx context.Context, r redis.UniversalClient, b *book, _ lives) error {
			return r.HIncrBy(ctx, p+"b:"+local(b), "n:created", 1).Err()
		}, []string{store.ViolationCount, store.ViolationSum, store.ViolationLive, store.ViolationDueCount}},
		{"a count of dead letters is bumped", func(ctx context.Context, r redis.UniversalClient, b *book, _ lives) error {
			return r.HIncrBy(ctx, p+"b:"+local(b), "n:dead", 1).Err()
		}, []string{store.ViolationCount, store.ViolationSum, store.ViolationLive, store.ViolationDueCount, store.ViolationDeadCount}},
		{"more is accepted than listed", func(ctx context.Context, r redis.UniversalClient, b *book, _ lives) error {
			return r.HIncrBy(ctx, p+"b:"+local(b), "accepted", 1).Err()
		}, []string{store.ViolationSum, store.ViolationLive, store.ViolationDueCount}},
		{"the customer's counter is bumped", func(ctx context.Context, r redis.UniversalClient, _ *book, _ lives) error {
			return r.HIncrBy(ctx, p+"c", "live", 1).Err()
		}, []string{store.ViolationLive}},
		{"an illegal transition was counted", func(ctx context.Context, r redis.UniversalClient, _ *book, _ lives) error {
			return r.HIncrBy(ctx, p+"c", "illegal", 1).Err()
		}, []string{store.ViolationIllegalMoves}},
		{"a batch vanishes", func(ctx context.Context, r redis.UniversalClient, b *book, _ lives) error {
			return r.Del(ctx, p+"b:"+local(b)).Err()
		}, []string{store.ViolationNoBatch, store.ViolationLive, store.ViolationDueCount, store.ViolationDeadCount}},
		{"a batch is taken off the list", func(ctx context.Context, r redis.UniversalClient, b *book, _ lives) error {
			return r.ZRem(ctx, p+"batches", local(b)).Err()
		}, []string{store.ViolationHiddenBatch, store.ViolationStoryLeft, store.ViolationLive, store.ViolationDueCount, store.ViolationDeadCount}},
		{"a record names a batch that does not list it", func(ctx context.Context, r redis.UniversalClient, _ *book, v lives) error {
			return r.HSet(ctx, p+"x:"+v.queued.Export, "r", 5).Err()
		}, []string{store.ViolationNoBatch}},
		{"a due entry is dropped", func(ctx context.Context, r redis.UniversalClient, _ *book, v lives) error {
			return r.ZRem(ctx, p+"due", v.queued.Export).Err()
		}, []string{store.ViolationNotDue, store.ViolationDueCount}},
		{"an export is late", func(ctx context.Context, r redis.UniversalClient, _ *book, v lives) error {
			late := float64(time.Now().Add(-6 * time.Minute).UnixMilli())
			return r.ZAdd(ctx, p+"due", redis.Z{Score: late, Member: v.retrying.Export}).Err()
		}, []string{store.ViolationStuck}},
		{"a finished export is due", func(ctx context.Context, r redis.UniversalClient, _ *book, v lives) error {
			return r.ZAdd(ctx, p+"due", redis.Z{Score: 9e15, Member: v.done.Export}).Err()
		}, []string{store.ViolationDueStray, store.ViolationDueCount}},
		{"a dead letter is not listed", func(ctx context.Context, r redis.UniversalClient, _ *book, v lives) error {
			return r.ZRem(ctx, p+"dead", v.dead.Export).Err()
		}, []string{store.ViolationNotDead, store.ViolationDeadCount}},
		{"an export in progress is listed as dead", func(ctx context.Context, r redis.UniversalClient, _ *book, v lives) error {
			return r.ZAdd(ctx, p+"dead", redis.Z{Score: 1, Member: v.queued.Export}).Err()
		}, []string{store.ViolationDeadStray, store.ViolationDeadCount}},
		{"two exports of one email are in progress", func(ctx context.Context, r redis.UniversalClient, b *book, v lives) error {
			return r.HSet(ctx, p+"x:"+v.queued.Export, "st", "claimed", "le", time.Now().Add(time.Hour).UnixMilli(),
				"eh", b.Keys().EmailHash(customer, "working@example.com")).Err()
		}, []string{store.ViolationEmailShared, store.ViolationEmailUnlocked}},
		{"a lock is lost", func(ctx context.Context, r redis.UniversalClient, b *book, _ lives) error {
			return r.Del(ctx, p+"l:"+b.Keys().EmailHash(customer, "working@example.com")).Err()
		}, []string{store.ViolationEmailUnlocked}},
		{"the data of an export in progress vanishes", func(ctx context.Context, r redis.UniversalClient, _ *book, v lives) error {
			return r.Del(ctx, p+"p:"+v.retrying.Export).Err()
		}, []string{store.ViolationPayloadMissing}},
		{"the data of a dead export vanishes", func(ctx context.Context, r redis.UniversalClient, _ *book, v lives) error {
			return r.Del(ctx, p+"p:"+v.dead.Export).Err()
		}, []string{store.ViolationPayloadMissing}},
		{"the data of a finished export stays", func(ctx context.Context, r redis.UniversalClient, _ *book, v lives) error {
			return r.Set(ctx, p+"p:"+v.done.Export, "sealed", 0).Err()
		}, []string{store.ViolationPayloadLeft}},
		{"the timeline of a finished export never expires", func(ctx context.Context, r redis.UniversalClient, b *book, v lives) error {
			return r.SRem(ctx, p+"b:"+local(b)+":s", v.done.Export).Err()
		}, []string{store.ViolationStoryLeft}},
		{"a marker names no person", func(ctx context.Context, r redis.UniversalClient, _ *book, _ lives) error {
			return r.HSet(ctx, p+"m:7", "0123456789abcdef", "0|1700000000|").Err()
		}, []string{store.ViolationMarker}},
		{"a marker is malformed", func(ctx context.Context, r redis.UniversalClient, _ *book, _ lives) error {
			return r.HSet(ctx, p+"m:7", "somebody", "17|1700000000|").Err()
		}, []string{store.ViolationMarker}},
		{"the marker of a done export vanishes", func(ctx context.Context, r redis.UniversalClient, _ *book, _ lives) error {
			keys, err := r.Keys(ctx, p+"m:*").Result()
			if err != nil {
				return err
			}
			return r.Del(ctx, keys...).Err()
		}, []string{store.ViolationMarkerMissing}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			client := redistest.Shared(t).Client(t)
			b := openBook(t, client, store.BatchSpec{})
			v := b.lives()
			if err := c.do(t.Context(), client, b, v); err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, v := range b.audit().Violations {
				if !slices.Contains(kinds, v.Kind) {
					kinds = append(kinds, v.Kind)
				}
				if v.Customer != customer || v.Text == "" {
					t.Errorf("violation %+v", v)
				}
			}
			slices.Sort(kinds)
			slices.Sort(c.want)
			if !slices.Equal(kinds, c.want) {
				t.Errorf("found %q, want %q", kinds, c.want)
			}
		})
	}
}

func TestCheckDuringChanges(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	b := openBook(t, client, store.BatchSpec{})
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for w := range 4 {
		busy.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				ref := b.accept(fmt.Sprintf("c-%d-%d", w, n), fmt.Sprintf("p%d@example.com", n%7))
				c, err := b.Claim(context.WithoutCancel(ctx), ref, longLease)
				if err != nil || c.Verdict != store.ClaimOK {
					continue // locked
				}
				end := store.Finish{To: store.Done, Counter: store.CountUpdated, Person: 17}
				if n%3 == 0 {
					end = store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_refused"}
				}
				b.finish(c, end)
				if n%6 == 0 {
					if err := b.DeadLetters.Revive(context.WithoutCancel(ctx), ref, "somebody", "a test"); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for range 5 {
		if got := b.audit(); len(got.Violations) > 0 {
			t.Errorf("violations %+v", got.Violations)
		}
	}
	stop()
	busy.Wait()
	if got := b.audit(); len(got.Violations) > 0 || got.Accepted != got.Done+got.Dead+got.Moving {
		t.Errorf("at rest %+v", got)
	}
}

func TestCheckOfOldBatches(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	b := openBook(t, client, store.BatchSpec{})
	v := b.lives()
	const p = "ix:{" + customer + "}:"
	opened := time.Now().Add(-store.DefaultRetention - time.Hour).UnixMilli()
	if err := client.HSet(t.Context(), p+"b:"+string(b.batch)[len(customer)+1:], "opened", opened).Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.HDel(t.Context(), p+"b:"+string(b.batch)[len(customer)+1:]+":o:"+v.done.Export[:2], v.done.Export).Err(); err != nil {
		t.Fatal(err)
	}
	if got := b.audit(); len(got.Violations) > 0 || got.Expired != 1 {
		t.Errorf("outcomes that were kept long enough may be gone: %+v", got)
	}
}
