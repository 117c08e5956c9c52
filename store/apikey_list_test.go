package store_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// A revoked key stays revoked whichever of its old records is written back. Only if all are written
// back together is a process fooled that has not seen the revocation.
func TestRevokedKeyStaysRevoked(t *testing.T) {
	t.Parallel()
	const hash = "ix:apikeys"
	type before map[string]string
	for name, attack := range map[string]struct {
		forge func(*testing.T, redis.UniversalClient, string, before)
		// sameProcess: only a process that has seen the revocation detects it.
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
		"its record, long after": {forge: func(t *testing.T, c redis.UniversalClient, id string, b before) {
			c.HSet(t.Context(), hash, id, b[id])
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
			if _, err := l.Access.RevokeAPIKey(t.Context(), k.ID, keyDay); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Access.CheckAPIKey(t.Context(), otherToken, keyDay); err != nil {
				t.Errorf("the other key: %v", err)
			}
			if name == "its record, long after" { // the key has no record any more
				if _, _, err := l.Access.NewAPIKey(t.Context(), store.APIKey{Name: "later"}, keyDay.Add(90*24*time.Hour)); err != nil {
					t.Fatal(err)
				}
				if client.HExists(t.Context(), hash, k.ID).Val() {
					t.Error("the record is still there")
				}
			}
			attack.forge(t, client, k.ID, seen)
			reader := l
			if !attack.sameProcess {
				reader = store.NewLedger(client, keys)
				if name == "its record, and another key made without the list" {
					newAPIKey(t, reader, store.APIKey{Name: "third"})
				}
			}
			if _, err := reader.Access.CheckAPIKey(t.Context(), token, keyDay); !errors.Is(err, store.ErrAPIKeyRefused) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Revoked and expired keys are listed for 90 days. The next change of a key removes them.
func TestAPIKeysThatHaveEndedAreRemoved(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	l := store.NewLedger(client, newKeys(t))
	const day = 24 * time.Hour
	made := map[string]string{}
	for name, k := range map[string]store.APIKey{
		"good": {}, "revoked": {}, "revoked later": {}, "expired": {Expires: keyDay.Add(day)}, "expires later": {Expires: keyDay.Add(60 * day)},
		"revoked before it expired": {Expires: keyDay.Add(365 * day)},
	} {
		k.Name = name
		entered, token := newAPIKey(t, l, k)
		made[name] = entered.ID
		if _, err := l.Access.CheckAPIKey(t.Context(), token, keyDay); err != nil {
			t.Fatal(name, err)
		}
	}
	for name, at := range map[string]time.Time{"revoked": keyDay, "revoked later": keyDay.Add(50 * day), "revoked before it expired": keyDay} {
		if _, err := l.Access.RevokeAPIKey(t.Context(), made[name], at); err != nil {
			t.Fatal(err)
		}
	}
	listed := func() (names []string) {
		all, err := l.Access.APIKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range all {
			names = append(names, k.Name)
		}
		slices.Sort(names)
		return names
	}
	if got := listed(); len(got) != 6 {
		t.Errorf("listed before: %q", got)
	}
	if _, _, err := l.Access.NewAPIKey(t.Context(), store.APIKey{Name: "new"}, keyDay.Add(100*day)); err != nil {
		t.Fatal(err)
	}
	if got, want := listed(), []string{"expires later", "good", "new", "revoked later"}; !slices.Equal(got, want) {
		t.Errorf("listed: %q, want %q", got, want)
	}
	for field := range client.HGetAll(t.Context(), "ix:apikeys").Val() {
		for _, name := range []string{"revoked", "expired", "revoked before it expired"} {
			if strings.HasPrefix(field, made[name]) {
				t.Errorf("%s is left of the key %q", field, name)
			}
		}
	}
}

// A list of an earlier version names the revoked keys instead of the valid ones. The next change of
// a key converts it.
func TestAPIKeyListOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	client, keys := redistest.Start(t).Client(t), newKeys(t)
	l := store.NewLedger(client, keys)
	_, good := newAPIKey(t, l, store.APIKey{Name: "good"})
	revoked, bad := newAPIKey(t, l, store.APIKey{Name: "revoked"})
	before := client.HGet(t.Context(), "ix:apikeys", revoked.ID).Val()
	if _, err := l.Access.RevokeAPIKey(t.Context(), revoked.ID, keyDay); err != nil {
		t.Fatal(err)
	}
	rewriteAPIKeys(t, client, keys, ":revoked", func(list map[string]any) { delete(list, "good_keys") })
	check := func(when string) {
		t.Helper()
		l := store.NewLedger(client, keys)
		client.HSet(t.Context(), "ix:apikeys", revoked.ID, before)
		if _, err := l.Access.CheckAPIKey(t.Context(), good, keyDay); err != nil {
			t.Errorf("%s: the good key: %v", when, err)
		}
		if _, err := l.Access.CheckAPIKey(t.Context(), bad, keyDay); !errors.Is(err, store.ErrAPIKeyRefused) {
			t.Errorf("%s: the revoked key: %v", when, err)
		}
	}
	check("after the update")
	newAPIKey(t, store.NewLedger(client, keys), store.APIKey{Name: "new"})
	check("after a change")
	if _, _, err := store.NewLedger(client, keys).Access.NewAPIKey(t.Context(), store.APIKey{Name: "later"}, keyDay.Add(90*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	check("when nothing is remembered of the revocation")
}

// rewriteAPIKeys changes the sealed content of a field of the API keys.
func rewriteAPIKeys(t *testing.T, client redis.UniversalClient, keys *store.Keyset, field string, change func(map[string]any)) string {
	t.Helper()
	data, err := keys.Open([]byte(client.HGet(t.Context(), "ix:apikeys", field).Val()), "ix:apikeys")
	if err != nil {
		t.Fatal(err)
	}
	var record map[string]any
	if err := json.Unmarshal(data, &record); err != nil {
		t.Fatal(err)
	}
	change(record)
	if data, err = json.Marshal(record); err != nil {
		t.Fatal(err)
	}
	sealed, err := keys.Seal(data, "ix:apikeys")
	if err != nil {
		t.Fatal(err)
	}
	client.HSet(t.Context(), "ix:apikeys", field, sealed)
	return string(sealed)
}

// Keys of earlier versions, which had no list, stay valid until they are revoked.
func TestAPIKeyOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	client, keys := redistest.Start(t).Client(t), newKeys(t)
	l := store.NewLedger(client, keys)
	k, token := newAPIKey(t, l, store.APIKey{Name: "console"})
	sealed := rewriteAPIKeys(t, client, keys, k.ID, func(record map[string]any) {
		delete(record, "origin")
		delete(record, "list_revision")
	})
	client.Del(t.Context(), "ix:apikeys")
	client.HSet(t.Context(), "ix:apikeys", k.ID, sealed)
	l = store.NewLedger(client, keys)
	if _, err := l.Access.CheckAPIKey(t.Context(), token, keyDay); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Access.RevokeAPIKey(t.Context(), k.ID, keyDay); err != nil {
		t.Fatal(err)
	}
	client.HSet(t.Context(), "ix:apikeys", k.ID, sealed)
	if _, err := store.NewLedger(client, keys).Access.CheckAPIKey(t.Context(), token, keyDay); !errors.Is(err, store.ErrAPIKeyRefused) {
		t.Errorf("got %v", err)
	}
}
