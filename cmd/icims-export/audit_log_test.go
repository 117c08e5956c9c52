package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
)

// Every command that changes something is recorded in the audit log before and after.
func TestCommandsWriteTheAuditLog(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	_, refused, _ := w.makeDeadLetters()
	file := filepath.Join(t.TempDir(), "one.ndjson")
	if err := os.WriteFile(file, []byte(`{"id":"c-1","first_name":"Ana","last_name":"Duarte","email":"ana@example.com"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	edited := []string{"connection", "edit", "1234", "source=x", "--why=because"}
	for _, c := range []struct {
		args []string
		want string // what, outcome and customer of each entry after "asked"
	}{
		{[]string{"connection", "add", "1234", "username=u", w.portal("1"), "--password-env=TEST_ICIMS_PASSWORD"}, "connection add done 1234"},
		{[]string{"connection", "add", "1234", "username=u", w.portal("1"), "--password-env=TEST_ICIMS_PASSWORD"}, "connection add refused 1234"},
		{edited, "connection edit done 1234"},
		{[]string{"connection", "edit", "1234", "auth=smoke", "--why=because"}, "connection edit refused 1234"},
		{[]string{"pause", "1234", "--why=because"}, "pause done 1234"},
		{[]string{"resume", "1234", "--why=because"}, "resume done 1234"},
		{[]string{"dead", "discard", "--batch=" + string(refused), "--why=because"}, "dead discard done 1234"},
		{[]string{"dead", "discard", "--all", "--dry-run"}, ""},
		{[]string{"dead", "retry", "--all", "--why=because"}, "dead retry done 77,dead retry done 1234"},
		{[]string{"dead", "retry", "--all", "--why=because"}, ""}, // none are left
		{[]string{"export", file, "--customer=1234", "--prospects"}, "export done 1234"},
		{[]string{"cancel", "--customer=1234", "--why=because", "--dry-run"}, ""},
		{[]string{"cancel", "--customer=1234", "--why=because", "--patience=0s"}, "cancel done 1234"},
		{[]string{"cancel", w.ledger.Keys().BatchID("1234", "never sent"), "--why=because"}, "cancel refused 1234"},
		{[]string{"erase", "1234", "c-1", "--why=because"}, "erase done 1234"},
		{[]string{"connection", "remove", "1234", "--why=because", "--dry-run"}, ""},
		{[]string{"connection", "remove", "1234", "--why=because", "--patience=0s"}, "connection remove done 1234"},
	} {
		before := len(w.journal())
		r := w.call(c.args...)
		var got []string
		for _, e := range w.journal()[before:] {
			if e.Outcome == store.JournalAsked {
				continue
			}
			got = append(got, fmt.Sprintf("%s %s %s", e.What, e.Outcome, e.Customer))
			if needsWhy := slices.Contains(c.args, "--why=because"); needsWhy && e.Why != "because" || !strings.Contains(e.Who, "@") || e.Key != "" {
				t.Errorf("%v: %+v", c.args, e)
			}
		}
		if text := strings.Join(got, ","); text != c.want || len(w.journal())-before != 2*len(got) {
			t.Errorf("%v: entered are %q (%d), want %q\n%s%s", c.args, text, len(w.journal())-before, c.want, r.out, r.errors)
		}
	}
}

func TestShowAuditLog(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.call("journal").wantStatus(t, statusDone)
	w.call("pause", "1234", "--why=go-live", "--who=ana").wantStatus(t, statusDone)
	w.call("resume", "1234", "--why=it went\x1b well", "--who=bo").wantStatus(t, statusDone)
	w.call("pause", "77", "--why=not yet", "--who=ana").wantStatus(t, statusDone)
	for name, c := range map[string]struct {
		more []string
		want string // who, what and outcome of each line
	}{
		"all, the latest first": {nil, "ana pause done 77,ana pause asked 77,bo resume done 1234,bo resume asked 1234,ana pause done 1234,ana pause asked 1234"},
		"of a customer":         {[]string{"--customer=77"}, "ana pause done 77,ana pause asked 77"},
		"of one person":         {[]string{"--who=bo", "--since=1h"}, "bo resume done 1234,bo resume asked 1234"},
		"of one command":        {[]string{"--what=resume", "--limit=1"}, "bo resume done 1234"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.call(append([]string{"journal"}, c.more...)...)
			r.wantStatus(t, statusDone)
			r.wantNone(t, "\x1b")
			var got []string
			for _, line := range lines(r.out)[1:] {
				f := strings.Split(line, "\t")
				got = append(got, strings.Join(f[1:5], " "))
			}
			if text := strings.Join(got, ","); text != c.want {
				t.Errorf("got %s\n%s", text, r.out)
			}
		})
	}
	if n := len(lines(w.call("journal", "--json").out)); n != 6 {
		t.Errorf("%d lines of JSON", n)
	}
	w.call("journal", "--customer=acme").wantStatus(t, statusUsage)
	w.call("journal", "--limit=0").wantStatus(t, statusUsage)
}

// journal returns the whole audit log, oldest first.
func (w *ward) journal() []store.AuditLogEntry {
	w.t.Helper()
	page, err := w.ledger.AuditLog.Page(w.t.Context(), store.AuditLogFilter{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(page.Entries)
	return page.Entries
}
