package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// foundOut is a profile whose text is easy to find in Redis.
var foundOut = store.TenantProfile{
	VerifiedAt: 1_800_000_000_000, SearchOr: store.Yes, SearchLag: 4 * time.Second, StatusID: "D37002023", TestPerson: 7101, Missing: "education,field51001",
}

// kept is the part that applies to other settings.
var kept = store.TenantProfile{SearchLag: foundOut.SearchLag, TestPerson: foundOut.TestPerson}

func (r *register) saves(c store.StoredConnection) {
	r.t.Helper()
	if err := r.Connections.SaveProfile(r.t.Context(), c.Connection, c.Revision, foundOut); err != nil {
		r.t.Fatal(err)
	}
}

func TestProfileIsSealedAndAnnounced(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		r, ctx := newRegister(t, client), t.Context()
		c := r.added("1234")
		if c.Profile != (store.TenantProfile{}) {
			t.Errorf("before any verification: %+v", c.Profile)
		}
		_, mark, err := r.Connections.Changes(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		r.saves(c)
		if diff := cmp.Diff(foundOut, r.read("1234").Profile); diff != "" {
			t.Errorf("read otherwise than saved (-want +got):\n%s", diff)
		}
		if changed, _, err := r.Connections.Changes(ctx, mark); err != nil || !cmp.Equal(changed, []string{"1234"}) {
			t.Errorf("told: %v, %v", changed, err)
		}
		if keys := redistest.Dump(t, client).Holding("D37002023", "field51001", "7101"); len(keys) > 0 {
			t.Errorf("in clear in %v", keys)
		}
		// A profile copied to another customer's key, or a damaged one, cannot be opened.
		r.added("77")
		sealed, err := client.Get(ctx, "ix:{1234}:conn:profile").Result()
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"another customer's": sealed, "a damaged one": sealed[:len(sealed)-1] + "?", "an open one": `{"profile":{"search_or":"yes"},"settings":"x"}`} {
			client.Set(ctx, "ix:{77}:conn:profile", value, 0)
			if got := r.read("77").Profile; got != (store.TenantProfile{}) {
				t.Errorf("%s: %+v", name, got)
			}
		}
		// Without its profile the connection can still be read.
		client.Del(ctx, "ix:{77}:conn:profile")
		client.LPush(ctx, "ix:{77}:conn:profile", "not even a text")
		if got := r.read("77"); got.Username != "export-user" || got.Profile != (store.TenantProfile{}) {
			t.Errorf("a list in its place: %+v", got)
		}
	})
}

func TestProfileAppliesToItsSettings(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	r, ctx := newRegister(t, client), t.Context()
	for name, c := range map[string]struct {
		edit func(*store.Connection)
		want store.TenantProfile
	}{
		"other limits":          {func(c *store.Connection) { c.Limits.InFlight = 2 }, foundOut},
		"another dummy domain":  {func(c *store.Connection) { c.DummyDomain = "others.example.com" }, foundOut},
		"more capabilities":     {func(c *store.Connection) { c.Capabilities = "export, dance" }, foundOut},
		"another password":      {func(c *store.Connection) { c.Password = "another" }, kept},
		"another user":          {func(c *store.Connection) { c.Username = "another" }, kept},
		"another field":         {func(c *store.Connection) { c.LinkedInField = "field51007" }, kept},
		"another status":        {func(c *store.Connection) { c.Status = store.NodeRef{ID: "D1"} }, kept},
		"another name of a row": {func(c *store.Connection) { c.Fields.Education.School = "schoolname" }, kept},
	} {
		stored, err := r.Connections.Add(ctx, connectionOf("1234"), "ana", "")
		if err != nil {
			t.Fatal(err)
		}
		r.saves(stored)
		after := stored.Connection
		c.edit(&after)
		edited, err := r.Connections.Edit(ctx, after, stored.Revision, "ana", "")
		if err != nil {
			t.Fatal(err)
		}
		if edited.Profile != c.want || r.read("1234").Profile != c.want {
			t.Errorf("%s: %+v", name, edited.Profile)
		}
		if err := r.Connections.SaveProfile(ctx, stored.Connection, stored.Revision, foundOut); !isChanged(err) {
			t.Errorf("%s: saved for an outdated revision: %v", name, err)
		}
		if err := r.Connections.Remove(ctx, "1234", 0, "ana", ""); err != nil {
			t.Fatal(err)
		}
		if n, err := client.Exists(ctx, "ix:{1234}:conn:profile").Result(); n != 0 || err != nil {
			t.Errorf("%s: it outlives its connection: %d, %v", name, n, err)
		}
		if err := r.Connections.SaveProfile(ctx, stored.Connection, stored.Revision, foundOut); !isChanged(err) {
			t.Errorf("%s: saved for a connection that was removed: %v", name, err)
		}
	}
}

func TestProfileOfAFileConnection(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		r, ctx := newRegister(t, client), t.Context()
		c := connectionOf("9").WithDefaults()
		if err := r.Connections.SaveProfile(ctx, c, 0, foundOut); err != nil {
			t.Fatal(err)
		}
		if with, err := r.Connections.WithProfile(ctx, c); err != nil || with.Profile != foundOut {
			t.Errorf("%+v, %v", with.Profile, err)
		}
		c.Password = "another"
		if with, err := r.Connections.WithProfile(ctx, c); err != nil || with.Profile != kept {
			t.Errorf("another password: %+v, %v", with.Profile, err)
		}
		if with, err := r.Connections.WithProfile(ctx, connectionOf("10")); err != nil || with.Profile != (store.TenantProfile{}) {
			t.Errorf("never verified: %+v, %v", with.Profile, err)
		}
		if _, err := r.Connections.Get(ctx, "9"); !errors.Is(err, store.ErrNoConnection) {
			t.Errorf("the store has it: %v", err)
		}
		// A connection entered in the store later is a different one.
		r.added("9")
		if err := r.Connections.SaveProfile(ctx, c, 0, foundOut); !isChanged(err) {
			t.Errorf("the file's, although the store has one: %v", err)
		}
	})
}

func TestProfileIsResealed(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	path := keysetFile(t)
	ledger := store.NewLedger(client, process(t, path))
	r := &register{ledger, t, client}
	r.saves(r.added("1234"))
	id := rotate(t, path)
	next := &register{store.NewLedger(client, process(t, path)), t, client}
	if _, err := next.Checks.Reseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	sealed, err := client.Get(t.Context(), "ix:{1234}:conn:profile").Bytes()
	if by, ok := store.SealedBy(sealed); !ok || by != id || err != nil {
		t.Errorf("sealed by %d, %t, want %d: %v", by, ok, id, err)
	}
	if got := next.read("1234").Profile; got != foundOut {
		t.Errorf("%+v", got)
	}
	if ttl, err := client.PTTL(t.Context(), "ix:{1234}:conn:profile").Result(); ttl <= 0 || err != nil {
		t.Errorf("it is kept for ever: %s, %v", ttl, err)
	}
}
