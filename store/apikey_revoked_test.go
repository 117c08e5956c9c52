package store_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// A revoked key stays revoked whatever of its records from before is put back, unless
// all of them are, and then in every process that has seen the revocation.
func TestRevokedKeyStaysRevoked(t *testing.T) {
	t.Parallel()
	const hash = "ix:apikeys"
	type before map[string]string
	for name, attack := range map[string]struct {
		forge func(*testing.T, redis.UniversalClient, string, before)
		// sameProcess: only a process that has seen the revocation can tell.
		sameProcess bool
	}{
		"its record": {forge: func(t *testing.T, c redis.UniversalClient, id string, b before) {
			c.HSet(t.Context(), hash, id, b[id])
		}},
		"its record, without the list": {forge: func(t *testing.T, c redis.UniversalClient, id string, b before) {
			c.HSet(t.Context(), hash, id, b[id])
			c.HDel(t.Context(), hash, ":revoked")
		}},
		"its record, with a list that is none": {forge: func(t *testing.T, c redis.UniversalClient, id string, b before) {
			c.HSet(t.Context(), hash, id, b[id], ":revoked", b[id])
		}},
		"its record, and another key made without the list": {forge: func(t *testing.T, c redis.UniversalClient, id string, b before) {
			c.HSet(t.Context(), hash, id, b[id])
			c.HDel(t.Context(), hash, ":revoked")
		}},
		"all records": {sameProcess: true, forge: func(t *testing.T, c redis.UniversalClient, _ string, b before) {
			c.Del(t.Context(), hash)
			c.HSet(t.Context(), hash, map[string]string(b))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, keys := redistest.Start(t).Client(t), newKeys(t)
			l := store.NewLedger(client, keys)
			k, token := newAPIKey(t, l, store.APIKey{Name: "console"})
			_, otherToken := newAPIKey(t, l, store.APIKey{Name: "other"})
			seen := before(client.HGetAll(t.Context(), hash).Val())
			if _, err := l.RevokeAPIKey(t.Context(), k.ID, keyDay); err != nil {
				t.Fatal(err)
			}
			if _, err := l.CheckAPIKey(t.Context(), otherToken, keyDay); err != nil {
				t.Errorf("the other key: %v", err)
			}
			attack.forge(t, client, k.ID, seen)
			reader := l
			if !attack.sameProcess {
				reader = store.NewLedger(client, keys)
				if name == "its record, and another key made without the list" {
					newAPIKey(t, reader, store.APIKey{Name: "third"})
				}
			}
			if _, err := reader.CheckAPIKey(t.Context(), token, keyDay); !errors.Is(err, store.ErrAPIKeyRefused) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Keys of earlier versions, which know no list, are good until they are revoked.
func TestAPIKeyOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	client, keys := redistest.Start(t).Client(t), newKeys(t)
	l := store.NewLedger(client, keys)
	k, token := newAPIKey(t, l, store.APIKey{Name: "console"})
	data, err := keys.Open([]byte(client.HGet(t.Context(), "ix:apikeys", k.ID).Val()), "ix:apikeys")
	if err != nil {
		t.Fatal(err)
	}
	var record map[string]any
	if err := json.Unmarshal(data, &record); err != nil {
		t.Fatal(err)
	}
	delete(record, "origin")
	delete(record, "list_revision")
	if data, err = json.Marshal(record); err != nil {
		t.Fatal(err)
	}
	sealed, err := keys.Seal(data, "ix:apikeys")
	if err != nil {
		t.Fatal(err)
	}
	client.Del(t.Context(), "ix:apikeys")
	client.HSet(t.Context(), "ix:apikeys", k.ID, sealed)
	l = store.NewLedger(client, keys)
	if _, err := l.CheckAPIKey(t.Context(), token, keyDay); err != nil {
		t.Fatal(err)
	}
	if _, err := l.RevokeAPIKey(t.Context(), k.ID, keyDay); err != nil {
		t.Fatal(err)
	}
	client.HSet(t.Context(), "ix:apikeys", k.ID, sealed)
	if _, err := store.NewLedger(client, keys).CheckAPIKey(t.Context(), token, keyDay); !errors.Is(err, store.ErrAPIKeyRefused) {
		t.Errorf("got %v", err)
	}
}
