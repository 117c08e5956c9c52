package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/quota"
	"github.com/seekout/icims-export/store/redistest"
)

// noon is the start time of the tests.
var noon = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func simulated(t *testing.T, now time.Time) (*store.Ledger, redis.UniversalClient) {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	client := redistest.Shared(t).Client(t)
	setClock(t, client, now)
	return store.NewLedger(client, keys, store.WithSimulatedClock()), client
}

func setClock(t *testing.T, client redis.UniversalClient, now time.Time) {
	t.Helper()
	if err := client.Set(t.Context(), store.SimulatedClockKey, now.UnixMilli(), 0).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestStandingsAreReadOnly(t *testing.T) {
	ledger, client := simulated(t, noon)
	standing := func() store.QuotaStatus {
		s, err := ledger.QuotaStatuses(t.Context(), "1234")
		if err != nil {
			t.Fatal(err)
		}
		return s[0]
	}
	ask := func(first int64, bulk int, returned ...quota.Returned) quota.Answer {
		limits := store.Limits{CallsPerSecond: 1000, Burst: 40, InFlight: 100, CallsPerDay: 1_000_000, ExpressReserve: 5}
		a, err := ledger.Quota().Ask(t.Context(), "1234", quota.Request{
			Worker: "a", Credentials: "one", Limits: limits, Hold: 40 * time.Second, First: first, Bulk: bulk, Returned: returned,
		})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	empty := standing()
	if empty.Budget != 0 || !empty.Closed.Open() || client.Exists(t.Context(), "ix:{1234}:limits").Val() != 0 {
		t.Errorf("of a customer never called: %+v", empty)
	}
	answered := quota.Unused(ask(1, 2).Permits[0])
	answered.Unused, answered.Status = false, 200
	ask(3, 0, answered)
	if err := ledger.Lanes.Pause(t.Context(), "1234", store.Pause{By: "ana", Why: "audit"}); err != nil {
		t.Fatal(err)
	}
	if err := ledger.AuditLog.RecordBreaker(t.Context(), "1234", "a", "open"); err != nil {
		t.Fatal(err)
	}
	before := dump(t, client)
	s := standing()
	if after := dump(t, client); before != after {
		t.Errorf("the state changed from\n%s\nto\n%s", before, after)
	}
	if s.Own != 2 || s.InFlight != 1 || s.Budget != 1_000_000 || s.Left != 999_998 || s.CallsPerSecond != 1000 || s.Rate <= 0 || s.LastGood.IsZero() ||
		s.Pause == nil || s.Pause.By != "ana" || s.Breakers["a"] != "open" {
		t.Errorf("%+v", s)
	}
	if a := ask(4, 1); a.Paused.Open() || len(a.Permits) != 1 {
		t.Errorf("paused, permits are for exports in the middle: %+v", a)
	}
}

func dump(t *testing.T, client redis.UniversalClient) string {
	t.Helper()
	ctx := context.Background()
	return fmt.Sprint(client.HGetAll(ctx, "ix:{1234}:limits").Val(), client.ZRangeWithScores(ctx, "ix:{1234}:flying", 0, -1).Val())
}

func TestEvents(t *testing.T) {
	ledger, client := simulated(t, noon)
	for i, e := range []string{"first", "second", "third"} {
		setClock(t, client, noon.Add(time.Duration(i)*time.Second))
		if err := ledger.AuditLog.RecordEvent(t.Context(), "1234", "note", e); err != nil {
			t.Fatal(err)
		}
	}
	events, err := ledger.AuditLog.Events(t.Context(), "1234", 2)
	if err != nil || len(events) != 2 || events[0].Text != "third" || events[1].Text != "second" || !events[1].At.Equal(noon.Add(time.Second)) {
		t.Errorf("%+v, %v", events, err)
	}
}
