package admin_test

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestForecastOfABatch(t *testing.T) {
	t.Parallel()
	const customer = "1234"
	client := redistest.Start(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ledger := store.NewLedger(client, keys)
	service := admin.New(admin.Config{Redis: client, Ledger: ledger})
	open := func(job int64, from, n int) store.Batch {
		t.Helper()
		id, _ := testrig.Accept(t, ledger, customer, job, testrig.Numbered(from, n)...)
		b, err := ledger.Batches.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	open(1709, 0, 40)
	large, small := open(0, 100, 30), open(0, 200, 2)

	got, err := service.Forecasts.Forecast(t.Context(), large)
	if err != nil {
		t.Fatal(err)
	}
	// Thirty prospects of 1.04 calls each, after the earlier batch and the small one.
	if got.Calls != 32 || got.Ahead != 115 || got.LeftToday != 10_000 || got.Done.IsZero() || !got.Resets.After(time.Now()) {
		t.Errorf("of thirty prospects: %+v", got)
	}
	if got, err = service.Forecasts.Forecast(t.Context(), small); err != nil || got.Calls != 3 || got.Ahead != 3 {
		t.Errorf("of a small batch: %+v, %v", got, err)
	}
	if err := ledger.Lanes.Pause(t.Context(), customer, store.Pause{By: "joe", Why: "go-live"}); err != nil {
		t.Fatal(err)
	}
	if got, err = service.Forecasts.Forecast(t.Context(), large); err != nil || got.Waits != store.ReasonPaused || !got.Done.IsZero() {
		t.Errorf("paused: %+v, %v", got, err)
	}
}
