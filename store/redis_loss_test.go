package store_test

import (
	"testing"
	"time"

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
		loss, _, err := store.NewLedger(clock.client, keys, store.WithSimulatedClock()).NoticeLoss(ctx, worker, settle)
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
