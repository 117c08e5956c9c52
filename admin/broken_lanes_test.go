package admin_test

import (
	"testing"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// Broken keys of one customer do not hide the lanes and connections of others.
func TestBrokenKeysOfOneCustomer(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"limits", "conn", "pause", "breakers"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			client := redistest.Start(t).Client(t)
			keys, err := store.NewKeyset()
			if err != nil {
				t.Fatal(err)
			}
			ledger := store.NewLedger(client, keys)
			for _, customer := range []string{"1001", "1002"} {
				testrig.Accept(t, ledger, customer, 1709, "c-1")
				c := store.Connection{Customer: customer, Username: "user", Password: "hunter2-hunter2"}
				if _, err := ledger.Connections.Add(t.Context(), c, "ana", ""); err != nil {
					t.Fatal(err)
				}
			}
			broken := "ix:{1001}:" + key
			client.Del(t.Context(), broken)
			client.Set(t.Context(), broken, "broken", 0)
			service := admin.New(admin.Config{Redis: client, Ledger: ledger})
			lanes, err := service.Lanes.List(t.Context(), admin.LaneQuery{All: true})
			if err != nil || len(lanes.Lanes) != 2 || lanes.Lanes[1].State == admin.LaneUnreadable {
				t.Errorf("lanes: %+v, %v", lanes.Lanes, err)
			}
			if key != "conn" && err == nil && lanes.Lanes[0].State != admin.LaneUnreadable {
				t.Errorf("the broken one is %s", lanes.Lanes[0].State)
			}
			page, _, err := service.Connections.Page(t.Context(), admin.ConnectionQuery{Limit: 10})
			if err != nil || len(page) != 2 || page[1].Sealed {
				t.Errorf("connections: %+v, %v", page, err)
			}
		})
	}
}
