package store_test

import (
	"encoding/json"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// Older settings that are written back to Redis are rejected, but may be entered again.
func TestOlderConnectionIsRefused(t *testing.T) {
	t.Parallel()
	const key = "ix:{1234}:conn"
	for name, c := range map[string]struct {
		forge func(*testing.T, redis.UniversalClient, map[string]string)
		// sameProcess: only a process that has seen the later settings detects it.
		sameProcess, removed bool
	}{
		"the document": {forge: func(t *testing.T, c redis.UniversalClient, b map[string]string) {
			c.HSet(t.Context(), key, "d", b["d"])
		}},
		"all of it": {sameProcess: true, forge: func(t *testing.T, c redis.UniversalClient, b map[string]string) {
			c.HSet(t.Context(), key, b)
		}},
		"all of one that was removed": {sameProcess: true, removed: true, forge: func(t *testing.T, c redis.UniversalClient, b map[string]string) {
			c.HSet(t.Context(), key, b)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, keys := redistest.Start(t).Client(t), newKeys(t)
			l := store.NewLedger(client, keys)
			conn := store.Connection{Customer: "1234", Username: "old-user", Password: "hunter2-hunter2", PortalURLs: "https://api.icims.com/customers/1234/search/portals/1"}
			added, err := l.Connections.Add(t.Context(), conn, "ana", "")
			if err != nil {
				t.Fatal(err)
			}
			before := client.HGetAll(t.Context(), key).Val()
			// Wait until the Redis clock has advanced.
			for start, _ := l.Now(t.Context()); ; {
				if now, err := l.Now(t.Context()); err != nil || now.Sub(start).Milliseconds() > 1 {
					break
				}
			}
			if c.removed {
				err = l.Connections.Remove(t.Context(), "1234", 0, "ana", "")
			} else {
				conn.Username = "new-user"
				_, err = l.Connections.Edit(t.Context(), conn, added.Revision, "ana", "")
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.Connections.GetAll(t.Context(), "1234"); err != nil {
				t.Fatal(err)
			}
			c.forge(t, client, before)
			reader := l
			if !c.sameProcess {
				reader = store.NewLedger(client, keys)
			}
			found, err := reader.Connections.GetAll(t.Context(), "1234")
			if err != nil || !found["1234"].Forged || found["1234"].Username != "" || found["1234"].Password != "" {
				t.Errorf("used as %q (forged %v), %v", found["1234"].Username, found["1234"].Forged, err)
			}
			audits, err := reader.Checks.Run(t.Context(), []string{"1234"}, store.CheckOptions{})
			if err != nil || len(audits[0].Violations) != 1 || audits[0].Violations[0].Kind != store.ViolationForgedConnection {
				t.Errorf("the check found %+v, %v", audits[0].Violations, err)
			}
			conn.Username = "entered-again"
			again, err := reader.Connections.Edit(t.Context(), conn, found["1234"].Revision, "ana", "")
			if err != nil || again.Username != "entered-again" || again.Forged {
				t.Errorf("entered again: %+v, %v", again, err)
			}
		})
	}
}

// Settings sealed by an earlier version are used, and bound to a revision when edited.
func TestConnectionOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	client, keys := redistest.Start(t).Client(t), newKeys(t)
	document, err := json.Marshal(map[string]string{"customer": "1234", "username": "old-user", "password": "hunter2-hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := keys.Seal(document, "ix:{1234}:conn")
	if err != nil {
		t.Fatal(err)
	}
	client.HSet(t.Context(), "ix:{1234}:conn", "rev", 7, "st", "connected", "since", 1, "at", 1, "d", sealed)
	l := store.NewLedger(client, keys)
	c, err := l.Connections.Get(t.Context(), "1234")
	if err != nil || c.Username != "old-user" {
		t.Fatalf("%+v, %v", c, err)
	}
	next := c.Connection
	next.Username = "new-user"
	if c, err = l.Connections.Edit(t.Context(), next, 7, "ana", ""); err != nil || c.Revision != 8 {
		t.Fatalf("%+v, %v", c, err)
	}
	client.HSet(t.Context(), "ix:{1234}:conn", "d", sealed)
	if c, _ = l.Connections.Get(t.Context(), "1234"); !c.Forged {
		t.Error("the settings from before the edit are used")
	}
}
