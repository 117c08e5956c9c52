package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/store"
)

func (w *ward) session(key string) string {
	w.t.Helper()
	now := time.Now()
	s, err := w.ledger.Access.NewSession(w.t.Context(), store.Session{Key: key, Name: "ana", Address: "192.0.2.7", Began: now, Until: now.Add(12 * time.Hour), IdleSeconds: 3600})
	if err != nil {
		w.t.Fatal(err)
	}
	return s.ID
}

func TestSessionsCommand(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	r := w.call("sessions", "list")
	r.wantStatus(t, statusDone)
	if !strings.Contains(r.errors, "No open console sessions") {
		t.Errorf("it says %s%s", r.out, r.errors)
	}
	one, two := w.session("abcdefgh234567ij"), w.session("bbcdefgh234567ij")
	r = w.call("sessions", "list")
	r.wantStatus(t, statusDone)
	for _, want := range []string{one, two, "abcdefgh234567ij", "192.0.2.7", "ana"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("the list lacks %s:\n%s", want, r.out)
		}
	}
	// A whole key works as its ID.
	listed := decode[[]store.Session](t, w.call("sessions", "list", "--key=ixk_abcdefgh234567ij_secret", "--json").out)
	if len(listed) != 1 || listed[0].ID != one {
		t.Errorf("listed: %+v", listed)
	}

	r = w.call("sessions", "end", one, "--who=ana", "--why=lost laptop")
	r.wantStatus(t, statusDone)
	if _, err := w.ledger.Access.UseSession(t.Context(), one, time.Now(), false); !errors.Is(err, store.ErrNoSession) {
		t.Errorf("the session goes on: %v", err)
	}
	r = w.call("sessions", "end", one)
	r.wantStatus(t, statusUsage)
	if !strings.Contains(r.errors, "sessions list") {
		t.Errorf("it says %s", r.errors)
	}
	if listed := decode[[]store.Session](t, w.call("sessions", "list", "--json").out); len(listed) != 1 || listed[0].ID != two {
		t.Errorf("listed: %+v", listed)
	}
	page, err := w.ledger.AuditLog.Page(t.Context(), store.AuditLogFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range page.Entries {
		told = append(told, e.What+" "+string(e.Outcome)+" "+e.Object)
	}
	want := []string{"sessions end refused " + one, "sessions end asked " + one, "sessions end done " + one, "sessions end asked " + one}
	if diff := cmp.Diff(want, told); diff != "" || page.Entries[3].Who != "ana" || page.Entries[3].Why != "lost laptop" {
		t.Errorf("the journal has %+v", page.Entries)
	}
}
