package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func newSession(t *testing.T, l *store.Ledger, key string, now time.Time) string {
	t.Helper()
	s, err := l.Access.NewSession(t.Context(), store.Session{Key: key, Name: "ana lytic", Address: "192.0.2.7", Began: now, Until: now.Add(12 * time.Hour), IdleSeconds: 3600})
	if err != nil {
		t.Fatal(err)
	}
	return s.ID
}

func TestSessionsDoNotPileUp(t *testing.T) {
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		keys, err := store.NewKeyset()
		if err != nil {
			t.Fatal(err)
		}
		l, now := store.NewLedger(client, keys), time.Now().Truncate(time.Second)
		first := newSession(t, l, "a", now)
		for range 150 {
			now = now.Add(time.Second)
			newSession(t, l, "b", now)
			if _, err := l.Access.UseSession(t.Context(), first, now, true); err != nil {
				t.Fatalf("a session of another key: %v", err)
			}
		}
		count := map[string]int{}
		all, err := l.Access.Sessions(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			count[s.Key]++
		}
		if fields := client.HLen(t.Context(), "ix:sessions").Val(); count["a"] != 1 || count["b"] != 100 || fields != 2*101 {
			t.Errorf("sessions of each key: %v, in %d fields", count, fields)
		}
		if ttl := client.TTL(t.Context(), "ix:sessions").Val(); ttl <= 11*time.Hour || ttl > 12*time.Hour {
			t.Errorf("all of it goes in %s", ttl)
		}
		if found := redistest.Dump(t, client).Holding("ana lytic", "192.0.2.7"); len(found) > 0 {
			t.Errorf("readable in Redis: %v", found)
		}
		now = now.Add(time.Hour)
		newSession(t, l, "c", now)
		if fields := client.HLen(t.Context(), "ix:sessions").Val(); fields != 2 {
			t.Errorf("after an hour without use there are %d fields", fields)
		}
	})
}

// Write access to Redis does not allow creating a session without a login.
func TestForgedSessionsOpenNothing(t *testing.T) {
	client := redistest.Shared(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	l, now := store.NewLedger(client, keys), time.Now()
	id := newSession(t, l, "a", now)
	other := strings.Repeat("a", len(id))
	record := client.HGet(t.Context(), "ix:sessions", id).Val()
	for field, value := range map[string]string{other: record, "": record, strings.Repeat("b", len(id)): `{"id":"` + strings.Repeat("b", len(id)) + `"}`} {
		if err := client.HSet(t.Context(), "ix:sessions", field, value, field+":last_used", fmt.Sprint(now.Unix())).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Access.UseSession(t.Context(), field, now, false); !errors.Is(err, store.ErrNoSession) {
			t.Errorf("%q: %v", field, err)
		}
	}
	if all, err := l.Access.Sessions(t.Context(), now); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

// The last use is fine enough for short idle times, and no write revives an ended session.
func TestUseOfASession(t *testing.T) {
	client := redistest.Shared(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	l, now := store.NewLedger(client, keys), time.Now().Truncate(time.Second)
	s, err := l.Access.NewSession(t.Context(), store.Session{Key: "a", Began: now, Until: now.Add(12 * time.Hour), IdleSeconds: 60})
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		now = now.Add(50 * time.Second)
		if _, err := l.Access.UseSession(t.Context(), s.ID, now, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Access.EndSession(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	if err := l.Access.EndSession(t.Context(), s.ID); !errors.Is(err, store.ErrNoSession) {
		t.Errorf("ended twice: %v", err)
	}
	if _, err := l.Access.UseSession(t.Context(), s.ID, now.Add(20*time.Second), true); !errors.Is(err, store.ErrNoSession) {
		t.Errorf("used after its end: %v", err)
	}
	if n := client.HLen(t.Context(), "ix:sessions").Val(); n != 0 {
		t.Errorf("%d fields are left", n)
	}
}
