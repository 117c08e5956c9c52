package admin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// breakage breaks one key of customer 1001. The key's name may contain BATCH and EXPORT.
type breakage struct {
	key string
	// field is set to value; without a field, the whole key is replaced by a string.
	field, value string
	// missing is the field to remove.
	missing string
	// sound means that the check reports no unreadable keys. It never fails.
	sound bool
}

func breakages() []breakage {
	const c = "ix:{1001}:"
	broken := []breakage{
		{key: c + "limits", sound: true}, {key: c + "pause", sound: true}, {key: c + "turns", sound: true}, {key: c + "b:BATCH:s", sound: true},
		{key: c + "b:BATCH:o:aa", sound: true}, {key: c + "jobs", sound: true}, {key: c + "events", sound: true}, {key: c + "conn", sound: true},
		{key: c + "c", field: "live", value: "some", sound: true}, {key: c + "c", field: "erased", value: "some", sound: true},
		{key: c + "limits", field: "w", value: "some", sound: true}, {key: c + "pause", field: "until", value: "some", sound: true},
		{key: c + "conn", field: "rev", value: "some", sound: true}, {key: c + "conn", field: "at", value: "some", sound: true}, {key: c + "conn", missing: "d", sound: true}, {key: c + "conn", missing: "st", sound: true},
		{key: c + "b:BATCH", field: "accepted", value: "some", sound: true}, {key: c + "b:BATCH", field: "opened", value: "some", sound: true},
		{key: c + "b:BATCH", missing: "t", sound: true}, {key: c + "b:BATCH", missing: "accepted", sound: true},
		{key: c + "x:EXPORT", field: "r", value: "some", sound: true}, {key: c + "x:EXPORT", field: "le", value: "some", sound: true}, {key: c + "x:EXPORT", field: "g", value: "some", sound: true},
		{key: c + "x:EXPORT", missing: "st", sound: true}, {key: c + "x:EXPORT", missing: "b", sound: true}, {key: c + "x:EXPORT", missing: "r", sound: true}, {key: c + "x:EXPORT", missing: "c", sound: true},
	}
	for _, key := range []string{"c", "due", "dead", "batches", "tests", "b:BATCH", "b:BATCH:r", "x:EXPORT", "m:17"} {
		broken = append(broken, breakage{key: c + key})
	}
	for _, key := range []string{"pending", "active", "scheduled"} {
		broken = append(broken, breakage{key: "asynq:{icims:1001}:" + key})
	}
	return broken
}

// Broken keys of one customer show up in check, lanes and connections, which still process the
// other customers.
func TestBrokenKeysOfOneCustomerDoNotStopChecks(t *testing.T) {
	t.Parallel()
	for _, b := range breakages() {
		name := b.key
		if b.field+b.missing != "" {
			name += " " + b.field + b.missing
		}
		if b.missing != "" {
			name += " is missing"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := redistest.Start(t).Client(t)
			keys, err := store.NewKeyset()
			if err != nil {
				t.Fatal(err)
			}
			ledger := store.NewLedger(client, keys)
			customers, refs := []string{"1001", "1002"}, map[string]store.Ref{}
			key := b.key
			for _, customer := range customers {
				batch, accepted := testrig.Accept(t, ledger, customer, 1709, "c-1", "c-2")
				refs[customer] = accepted[0]
				testrig.Finish(t, ledger, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 7}, accepted[1])
				c := store.Connection{Customer: customer, Username: "user", Password: "hunter2-hunter2"}
				if _, err := ledger.Connections.Add(t.Context(), c, "ana", ""); err != nil {
					t.Fatal(err)
				}
				if customer == "1001" {
					_, local, _ := strings.Cut(string(batch), "-")
					key = strings.NewReplacer("BATCH", local, "EXPORT", accepted[0].Export).Replace(key)
				}
			}
			// The other customer has a violation that the check must find.
			client.Del(t.Context(), "ix:{1002}:p:"+refs["1002"].Export)
			spoil(t, client, key, b)

			service := admin.New(admin.Config{Redis: client, Ledger: ledger})
			r, err := service.Check(t.Context(), customers, store.CheckOptions{})
			if err != nil {
				t.Fatalf("the check stops: %v", err)
			}
			kinds := func(customer string) (kinds []string) {
				for _, v := range r.Violations {
					if v.Customer == customer {
						kinds = append(kinds, v.Kind)
					}
				}
				return kinds
			}
			if got := kinds("1002"); !slices.Contains(got, store.ViolationPayloadMissing) || slices.Contains(got, store.ViolationUnreadable) {
				t.Errorf("of the other customer the check says %v", got)
			}
			if got := kinds("1001"); !b.sound && !slices.Contains(got, store.ViolationUnreadable) {
				t.Errorf("of the broken one the check says %v", got)
			}
			lanes, err := service.Lanes.List(t.Context(), admin.LaneQuery{All: true})
			if err != nil || len(lanes.Lanes) != 2 || lanes.Lanes[1].State == admin.LaneUnreadable {
				t.Errorf("lanes: %+v, %v", lanes.Lanes, err)
			}
			page, _, err := service.Connections.Page(t.Context(), admin.ConnectionQuery{Limit: 10})
			if err != nil || len(page) != 2 || page[1].Sealed {
				t.Errorf("connections: %+v, %v", page, err)
			}
		})
	}
}

func spoil(t *testing.T, client redis.UniversalClient, key string, b breakage) {
	t.Helper()
	ctx := t.Context()
	var err error
	switch {
	case b.missing != "":
		err = client.HDel(ctx, key, b.missing).Err()
	case b.field != "":
		err = client.HSet(ctx, key, b.field, b.value).Err()
	default:
		client.Del(ctx, key)
		err = client.Set(ctx, key, "broken", 0).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}
