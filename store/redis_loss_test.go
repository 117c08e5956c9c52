package store_test

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

// A machine fails with Redis and all workers, and Redis restarts without its latest writes. No
// process remembers them; only the server's identity differs.
func TestNewWorkersNoticeALoss(t *testing.T) {
	t.Parallel()
	const settle = 90 * time.Second
	clock := newClock(t)
	ctx := t.Context()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	serve := func(id string) {
		t.Helper()
		if err := clock.client.Set(ctx, store.SimulatedServerKey, id, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	start := func(worker string) store.Loss {
		t.Helper()
		loss, _, err := store.NewLedger(clock.client, keys, store.WithSimulatedClock()).Workers.NoticeLoss(ctx, worker, settle)
		if err != nil {
			t.Fatal(err)
		}
		return loss
	}
	serve("one")
	if loss := start("a"); loss.Kind != "" {
		t.Errorf("nothing was lost: %+v", loss)
	}
	for _, server := range []string{"two", "three"} { // the second time, an earlier loss is known
		clock.pass(time.Hour)
		serve(server)
		loss := start("b" + server)
		if from := loss.CreatesFrom.Sub(clock.now); from != settle {
			t.Errorf("after server %q creates wait for %s, not %s: %+v", server, from, settle, loss)
		}
		if again := start("c" + server); again.CreatesFrom != loss.CreatesFrom {
			t.Errorf("the next worker takes it for another loss: %+v", again)
		}
	}
}

// Redis is restored to a state from before the customer's first claim, and the first process to claim
// then has only been told that exports were locked.
func TestAProcessThatWasOnlyRefusedClaimsNoticesALoss(t *testing.T) {
	t.Parallel()
	clock := newClock(t)
	ctx := t.Context()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	first, second := store.NewLedger(clock.client, keys, store.WithSimulatedClock()), store.NewLedger(clock.client, keys, store.WithSimulatedClock())
	_, refs := testrig.Accept(t, first, "1234", 1701, "c-1")
	_, twins := testrig.Accept(t, first, "1234", 1702, "c-1")
	claim := func(l *store.Ledger, worker string, ref store.Ref) store.Verdict {
		t.Helper()
		c, err := l.Claim(ctx, ref, store.ClaimOptions{Worker: worker, Lease: time.Minute, Settle: 90 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return c.Verdict
	}

	names, err := clock.client.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	copied := map[string]string{}
	for _, name := range names {
		if copied[name], err = clock.client.Dump(ctx, name).Result(); err != nil {
			t.Fatal(err)
		}
	}
	if got := claim(first, "a", refs[0]); got != store.ClaimOK {
		t.Fatalf("the first export is %s", got)
	}
	if got := claim(second, "b", twins[0]); got != store.ClaimLocked {
		t.Fatalf("the same candidate in another batch is %s", got)
	}
	if err := clock.client.FlushDB(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	for name, value := range copied {
		if err := clock.client.Restore(ctx, name, 0, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := clock.client.Set(ctx, store.SimulatedServerKey, "two", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := claim(second, "b", twins[0]); got != store.ClaimWentBack {
		t.Errorf("after the loss the export is %s", got)
	}
}
