package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

var keyDay = time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)

func newAPIKey(t *testing.T, l *store.Ledger, k store.APIKey) (store.APIKey, string) {
	t.Helper()
	made, token, err := l.Access.NewAPIKey(t.Context(), k, keyDay)
	if err != nil {
		t.Fatal(err)
	}
	return made, token
}

func TestAPIKeyRoundTrip(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		l := store.NewLedger(client, newKeys(t))
		want, token := newAPIKey(t, l, store.APIKey{
			Name: "console", Scopes: []string{"read", "export"}, Customers: []string{"1234", "5678"}, By: "ana", Expires: keyDay.AddDate(0, 1, 0),
		})
		if !strings.HasPrefix(token, "ixk_"+want.ID+"_") || !want.Created.Equal(keyDay) {
			t.Errorf("got %s of %+v", token, want)
		}
		got, err := l.Access.CheckAPIKey(t.Context(), token, keyDay)
		want.LastUsed = keyDay.Truncate(time.Hour)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%v, %s", err, cmp.Diff(want, got))
		}
		all, err := l.Access.APIKeys(t.Context())
		if err != nil || !cmp.Equal(all, []store.APIKey{want}) {
			t.Errorf("listed %+v, %v", all, err)
		}
	})
}

func TestAPIKeyNeedsACustomer(t *testing.T) {
	t.Parallel()
	l := store.NewLedger(redistest.Start(t).Client(t), newKeys(t))
	// Nil means all customers; an empty list must not turn into that.
	k := store.APIKey{Name: "console", Scopes: []string{"read"}, Customers: []string{}}
	if _, _, err := l.Access.NewAPIKey(t.Context(), k, keyDay); err == nil {
		t.Error("it was made")
	}
}

func TestAPIKeyIsRefused(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	keys := newKeys(t)
	l := store.NewLedger(client, keys)
	ctx := t.Context()
	good, token := newAPIKey(t, l, store.APIKey{Name: "good"})
	other, otherToken := newAPIKey(t, l, store.APIKey{Name: "other"})
	_, expired := newAPIKey(t, l, store.APIKey{Name: "expired", Expires: keyDay})
	revoked, revokedToken := newAPIKey(t, l, store.APIKey{Name: "revoked"})
	if _, err := l.Access.RevokeAPIKey(ctx, revoked.ID, keyDay); err != nil {
		t.Fatal(err)
	}
	secret := func(token string) string { return token[len("ixk_")+len(good.ID)+1:] }
	for name, refused := range map[string]string{
		"nothing":                       "",
		"no token at all":               "hello",
		"a token without a secret":      "ixk_" + good.ID + "_",
		"a token without an id":         "ixk__" + secret(token),
		"an unknown id":                 "ixk_" + strings.Repeat("a", len(good.ID)) + "_" + secret(token),
		"the field of the last use":     "ixk_" + good.ID + ":u_" + secret(token),
		"the stand-in of unknown ids":   "ixk_nobody_",
		"another key's secret":          "ixk_" + good.ID + "_" + secret(otherToken),
		"another key's id":              "ixk_" + other.ID + "_" + secret(token),
		"a secret that lacks its end":   token[:len(token)-1],
		"a secret with something after": token + "a",
		"an expired key":                expired,
		"a revoked key":                 revokedToken,
	} {
		if k, err := l.Access.CheckAPIKey(ctx, refused, keyDay); !errors.Is(err, store.ErrAPIKeyRefused) || k.ID != "" {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
	t.Run("with another keyset", func(t *testing.T) {
		if _, err := store.NewLedger(client, newKeys(t)).Access.CheckAPIKey(ctx, token, keyDay); !errors.Is(err, store.ErrAPIKeyRefused) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("under an id that its record was copied to", func(t *testing.T) {
		client.HSet(ctx, "ix:apikeys", other.ID, client.HGet(ctx, "ix:apikeys", good.ID).Val())
		for _, token := range []string{otherToken, "ixk_" + other.ID + "_" + secret(token)} {
			if _, err := l.Access.CheckAPIKey(ctx, token, keyDay); !errors.Is(err, store.ErrAPIKeyRefused) {
				t.Errorf("got %v", err)
			}
		}
	})
	t.Run("but Redis being away is no refusal", func(t *testing.T) {
		away := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
		t.Cleanup(func() { away.Close() })
		if _, err := store.NewLedger(away, keys).Access.CheckAPIKey(ctx, token, keyDay); err == nil || errors.Is(err, store.ErrAPIKeyRefused) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAPIKeyIsRevoked(t *testing.T) {
	t.Parallel()
	l := store.NewLedger(redistest.Shared(t).Client(t), newKeys(t))
	ctx := t.Context()
	made, token := newAPIKey(t, l, store.APIKey{Name: "console"})
	first, err := l.Access.RevokeAPIKey(ctx, made.ID, keyDay)
	if err != nil || !first.Revoked.Equal(keyDay) {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := l.Access.RevokeAPIKey(ctx, made.ID, keyDay.Add(time.Hour))
	if err != nil || !again.Revoked.Equal(keyDay) {
		t.Errorf("revoked again: %+v, %v", again, err)
	}
	if _, err := l.Access.CheckAPIKey(ctx, token, keyDay); !errors.Is(err, store.ErrAPIKeyRefused) {
		t.Errorf("got %v", err)
	}
	for _, id := range []string{"", "nobody", made.ID + ":u", strings.Repeat("a", len(made.ID))} {
		if _, err := l.Access.RevokeAPIKey(ctx, id, keyDay); !errors.Is(err, store.ErrNoAPIKey) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// Read access to Redis reveals neither names nor anything usable as a key.
func TestAPIKeysAreNotReadableInRedis(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	l := store.NewLedger(client, newKeys(t))
	made, token := newAPIKey(t, l, store.APIKey{Name: "console-of-ana", Scopes: []string{"operate"}, Customers: []string{"987654"}, By: "ana-lytic"})
	if _, err := l.Access.CheckAPIKey(t.Context(), token, keyDay); err != nil {
		t.Fatal(err)
	}
	secret := token[len("ixk_")+len(made.ID)+1:]
	if found := redistest.Dump(t, client).Holding(secret, "console-of-ana", "operate", "987654", "ana-lytic"); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}
