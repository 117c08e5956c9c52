package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestAPIKeyIsCreatedListedAndRevoked(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	r := w.call("apikeys", "new", "--name=console", "--scope=read,export", "--customer=1234", "--customer=77", "--expires=90d", "--who=ana", "--why=the new console")
	r.wantStatus(t, statusDone)
	token := strings.TrimSpace(r.out)
	key, err := w.ledger.Access.CheckAPIKey(t.Context(), token, time.Now())
	if err != nil {
		t.Fatalf("%q: %v", token, err)
	}
	if key.Name != "console" || key.By != "ana" || !cmp.Equal(key.Scopes, []string{"read", "export"}) || !cmp.Equal(key.Customers, []string{"1234", "77"}) ||
		time.Until(key.Expires).Round(24*time.Hour) != 90*24*time.Hour {
		t.Errorf("%+v", key)
	}
	if strings.Contains(r.errors, token) || !strings.Contains(r.errors, "It is shown only once") {
		t.Errorf("it says %s", r.errors)
	}
	r = w.call("apikeys", "list")
	r.wantStatus(t, statusDone)
	r.wantNone(t, token, strings.Split(token, "_")[2])
	if !strings.Contains(r.out, key.ID) || !strings.Contains(r.out, "customers 1234, 77") {
		t.Errorf("the list is %s", r.out)
	}

	// A whole key works as its ID.
	r = w.call("apikeys", "revoke", token, "--json")
	r.wantStatus(t, statusDone)
	if revoked := decode[store.APIKey](t, r.out); revoked.ID != key.ID || revoked.Revoked.IsZero() {
		t.Errorf("%+v", revoked)
	}
	r.wantNone(t, strings.Split(token, "_")[2])
	if _, err := w.ledger.Access.CheckAPIKey(t.Context(), token, time.Now()); err == nil {
		t.Error("it is still good")
	}
	if listed := decode[[]store.APIKey](t, w.call("apikeys", "list", "--json").out); len(listed) != 0 {
		t.Errorf("listed are %+v", listed)
	}
	if listed := decode[[]store.APIKey](t, w.call("apikeys", "list", "--all", "--json").out); len(listed) != 1 {
		t.Errorf("listed are %+v", listed)
	}
	page, err := w.ledger.AuditLog.Page(t.Context(), store.AuditLogFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range page.Entries {
		told = append(told, e.What+" "+string(e.Outcome)+" "+e.Object)
	}
	want := []string{"apikeys revoke done " + key.ID, "apikeys revoke asked " + key.ID, "apikeys new done console", "apikeys new asked console"}
	if diff := cmp.Diff(want, told); diff != "" || page.Entries[3].Who != "ana" || page.Entries[3].Why != "the new console" {
		t.Errorf("the journal has %+v", page.Entries)
	}
	if found := redistest.Dump(t, w.redis).Holding(strings.Split(token, "_")[2], "the new console"); len(found) > 0 {
		t.Errorf("readable in Redis: %v", found)
	}
}

func TestUnclearAPIKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"without a name":              {[]string{"--scope=read", "--all-customers"}, "--name"},
		"without a scope":             {[]string{"--name=x", "--all-customers"}, "--scope"},
		"with an unknown scope":       {[]string{"--name=x", "--scope=root", "--all-customers"}, "use read, export, operate or admin"},
		"for nobody":                  {[]string{"--name=x", "--scope=read"}, "--all-customers"},
		"for some and for all":        {[]string{"--name=x", "--scope=read", "--customer=1234", "--all-customers"}, "--all-customers"},
		"for no customer":             {[]string{"--name=x", "--scope=read", "--customer=acme"}, "digits only"},
		"with an end that is no time": {[]string{"--name=x", "--scope=read", "--all-customers", "--expires=soon"}, "not a future time"},
		"with an end that is over":    {[]string{"--name=x", "--scope=read", "--all-customers", "--expires=2020-01-31"}, "not a future time"},
		"with a name of blanks":       {[]string{"--name=  ", "--scope=read", "--all-customers"}, "name the key's owner"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.call(append([]string{"apikeys", "new"}, tt.args...)...)
			r.wantStatus(t, statusUsage)
			if !strings.Contains(r.errors, tt.says) || r.out != "" {
				t.Errorf("it says %s%s", r.out, r.errors)
			}
		})
	}
	r := w.call("apikeys", "revoke", "abcdefgh234567ij")
	r.wantStatus(t, statusUsage)
	if listed, err := w.ledger.Access.APIKeys(t.Context()); err != nil || len(listed) != 0 {
		t.Errorf("%+v, %v", listed, err)
	}
}

// A key can be revoked even if the audit log cannot be written, or Redis is full. The command
// reports the missing entry.
func TestRevocationWithoutAuditLog(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		harm func(*ward) error
		says bool
	}{
		"the journal is broken": {func(w *ward) error {
			return w.redis.Set(w.t.Context(), "ix:journal:"+time.Now().UTC().Format("20060102"), "x", 0).Err()
		}, true},
		"Redis is full": {func(w *ward) error { return w.redis.ConfigSet(w.t.Context(), "maxmemory", "1").Err() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			token := strings.TrimSpace(w.call("apikeys", "new", "--name=console", "--scope=admin", "--all-customers").out)
			if err := w.redis.Del(t.Context(), "ix:journal:"+time.Now().UTC().Format("20060102")).Err(); err != nil {
				t.Fatal(err)
			}
			if err := tt.harm(w); err != nil {
				t.Fatal(err)
			}
			r := w.call("apikeys", "revoke", token, "--json")
			r.wantStatus(t, statusDone)
			if revoked := decode[store.APIKey](t, r.out); revoked.Revoked.IsZero() {
				t.Errorf("%+v", revoked)
			}
			if _, err := w.ledger.Access.CheckAPIKey(t.Context(), token, time.Now()); !errors.Is(err, store.ErrAPIKeyRefused) {
				t.Errorf("the key is still good: %v", err)
			}
			if got := strings.Contains(r.errors, "missing this change"); got != tt.says {
				t.Errorf("it says %s", r.errors)
			}
		})
	}
}
