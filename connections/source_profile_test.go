package connections_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// TestSourceTakesUpProfiles: running workers apply the results of a verification, for connections
// of the store and of the file.
func TestSourceTakesUpProfiles(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		ledger := store.NewLedger(client, newKeys(t))
		told := make(chan map[string]store.TenantProfile, 100)
		s := connections.NewSource(ledger, hosts(t, ""), zerolog.Nop(), func(list []store.Connection) {
			profiles := map[string]store.TenantProfile{}
			for _, c := range list {
				profiles[c.Customer] = c.Profile
			}
			told <- profiles
		})
		await := func(what string, holds func(map[string]store.TenantProfile) bool) {
			t.Helper()
			for {
				select {
				case profiles := <-told:
					if holds(profiles) {
						return
					}
				case <-t.Context().Done():
					t.Fatal(what)
				}
			}
		}
		filed := good("9").WithDefaults()
		stored, err := ledger.Connections.Add(t.Context(), good("77"), "ana", "")
		if err != nil {
			t.Fatal(err)
		}
		early := store.TenantProfile{SearchOr: store.No}
		if err := ledger.Connections.SaveProfile(t.Context(), filed, 0, early); err != nil {
			t.Fatal(err)
		}
		s.SetFile([]store.Connection{filed})
		if err := s.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		await("what was known before", func(p map[string]store.TenantProfile) bool { return p["9"] == early })

		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.Run(ctx, nil)
		}()
		const channel = "{ix:connections}:changed"
		testrig.Eventually(t, "changes are listened for", func() bool {
			listeners, err := client.PubSubNumSub(ctx, channel).Result() // a cluster asks one of its nodes
			return err == nil && listeners[channel] > 0
		})
		found := store.TenantProfile{SearchOr: store.Yes}
		if err := ledger.Connections.SaveProfile(ctx, filed, 0, found); err != nil {
			t.Fatal(err)
		}
		await("the file's", func(p map[string]store.TenantProfile) bool { return p["9"] == found })
		if err := ledger.Connections.SaveProfile(ctx, stored.Connection, stored.Revision, found); err != nil {
			t.Fatal(err)
		}
		await("the store's", func(p map[string]store.TenantProfile) bool { return p["77"] == found && p["9"] == found })
		stop()
		<-ended
	})
}
