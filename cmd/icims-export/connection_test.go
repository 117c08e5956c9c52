package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
)

// portal returns the URL of one of the simulator's job portals.
func (b *bench) portal(n string) string {
	return "portal_urls=" + b.origin + "/customers/1234/search/portals/" + n + "?staleness=0"
}

func TestConnectionIsAddedEditedShownAndRemoved(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	secrets := []string{testPassword, "not-" + testPassword}
	calls := func(status int, args ...string) result {
		t.Helper()
		r := w.call(append([]string{"connection"}, args...)...)
		r.wantStatus(t, status)
		r.wantNone(t, secrets...)
		return r
	}
	r := calls(statusUsage, "add", "1234", "username=export-user", "password="+testPassword, w.portal("1"))
	if !strings.Contains(r.errors, "as an argument") {
		t.Errorf("%s", r.errors)
	}
	r = calls(statusUsage, "add", "1234", "limits.inflight=x")
	if !strings.Contains(r.errors, `did you mean "limits.in_flight"?`) || !strings.Contains(r.errors, "linkedin_field") {
		t.Errorf("%s", r.errors)
	}
	r = calls(statusUsage, "add", "1234", strings.Replace(w.portal("1"), "portals/1", "portals/{jobPortalId}", 1))
	if !strings.Contains(r.errors, "contains a placeholder") || !strings.Contains(r.errors, "username: enter the name") {
		t.Errorf("all problems at once: %s", r.errors)
	}
	r = calls(statusUsage, "add", "1234", "username=export-user", w.portal("1"))
	if !strings.Contains(r.errors, "--password-file") {
		t.Errorf("without a terminal: %s", r.errors)
	}
	r = calls(statusDone, "add", "1234", "username=export-user", w.portal("1"), "limits.in_flight=2", "--password-env=WRONG_PASSWORD", "--who=ana", "--why=a new customer")
	r.wantAll(t, "was added: revision 1, new, region other, 1 portal.")
	r = calls(statusUsage, "add", "1234", "username=export-user", w.portal("1"), "--password-env=WRONG_PASSWORD")
	if !strings.Contains(r.errors, "connection edit") {
		t.Errorf("%s", r.errors)
	}

	calls(statusFailed, "edit", "1234", "limits.in_flight=3", "--revision=7", "--why=x")
	calls(statusUsage, "edit", "1234")
	calls(statusUsage, "edit", "1234", "limits.in_flight=many", "--why=x")
	calls(statusUsage, "edit", "1234", "limits.in_flight=4")
	r = calls(statusUsage, "edit", "1234", "limits.calls_per_second=0", "--why=x")
	if !strings.Contains(r.errors, "limits.calls_per_second cannot be 0") || !strings.Contains(r.errors, "pause it") {
		t.Errorf("%s", r.errors)
	}
	r = calls(statusDone, "edit", "1234", "limits.in_flight=3", "status.id=D10106", "--who=bo", "--why=they asked", "--json")
	if v := decode[connectionView](t, r.out); v.Revision != 2 || v.Limits.InFlight != 3 || v.State != store.ConnectionNew || len(v.Portals) != 1 {
		t.Errorf("%+v", v)
	}
	r = calls(statusDone, "edit", "1234", "--password-file="+w.file(t, "password", testPassword+"\n"), "--why=the new one")
	r.wantAll(t, "was changed: revision 3")
	calls(statusDone, "edit", "1234", "limits.in_flight=3", "--why=x").wantAll(t, "was left as it was: revision 3")
	if c, err := w.ledger.Connections.Get(t.Context(), "1234"); err != nil || c.Password != testPassword || c.Limits.InFlight != 3 {
		t.Errorf("%+v, %v", c, err)
	}

	r = calls(statusDone, "show", "1234")
	r.wantAll(t, "customer 1234 is new", "revision 3", "set (hidden)", "limits.in_flight", "5% of the day's calls", "bo edited it (limits.in_flight, status.id): “they asked”", "ana added it: “a new customer”")
	if strings.Contains(r.out, "status.value") {
		t.Errorf("a default is shown beside the status's id\n%s", r.out)
	}
	if r = calls(statusDone, "list"); !strings.HasPrefix(lines(r.out)[1], "1234\tnew\t") || !strings.Contains(r.out, "\tother\tbasic\texport-user\t1\t3\t") {
		t.Errorf("listed: %q", r.out)
	}
	if v := decode[connectionView](t, calls(statusDone, "list", "--json").out); v.Customer != "1234" || v.Username != "export-user" {
		t.Errorf("%+v", v)
	}

	_, ids := w.accept("1234", 1709, 0, 4)
	done, err := w.ledger.Claim(t.Context(), store.Ref{Customer: "1234", Export: ids[0]}, store.ClaimOptions{Lease: time.Minute})
	if err == nil {
		err = w.ledger.Finish(t.Context(), done, store.Finish{To: store.Done, Counter: store.CountUpdated, Person: 17})
	}
	if err != nil {
		t.Fatal(err)
	}
	calls(statusUsage, "remove", "1234")
	calls(statusDone, "remove", "1234", "--dry-run", "--exports=cancel").wantAll(t, "Would remove", "3 exports would be canceled")
	calls(statusDone, "remove", "1234", "--why=they left", "--patience=0s").wantAll(t, "Removed the connection", "3 exports wait")
	calls(statusFailed, "edit", "1234", "source=x", "--why=x")
	r = calls(statusDone, "remove", "1234", "--why=for good", "--exports=cancel", "--markers=erase", "--patience=0s", "--json")
	if got := decode[admin.Removal](t, r.out); got.Exports.Cancelled != 3 || *got.Markers != 1 || got.Waiting != 0 {
		t.Errorf("%s", r.out)
	}
	calls(statusDone, "show", "1234").wantAll(t, "is removed", "removed it, new before and removed since: “they left”")
	if r := calls(statusDone, "list"); r.out != "" || !strings.Contains(r.errors, "No stored connections") {
		t.Errorf("%q %q", r.out, r.errors)
	}
	calls(statusFailed, "remove", "99", "--why=x")
	w.call("audit").wantStatus(t, statusDone)
}

func TestConnectionIsImportedFromTheFile(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.call("connection", "add", "1234", "--import", "source=Imported").wantStatus(t, statusDone)
	c, err := w.ledger.Connections.Get(t.Context(), "1234")
	if err != nil || c.Password != testPassword || c.Source != "Imported" || c.LinkedInField != "field51001" || c.Limits.Burst != 500 {
		t.Errorf("%+v, %v", c, err)
	}
	// Defaults are not stored as if they had been set.
	if !c.Status.IsZero() || c.Auth != "" || c.Limits.CallsPerDay != 0 || c.Fields != (store.FieldNames{}) {
		t.Errorf("%+v", c)
	}
	w.call("connection", "add", "99", "--import").wantStatus(t, statusUsage)
}

// A worker without a connections file uses stored connections that are added or corrected while it
// runs.
func TestWorkerFollowsTheStoresConnections(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	add := []string{"connection", "add", "1234", "username=export-user", w.portal("1"), "limits.calls_per_second=500", "dummy_email_domain=dummies.example.com"}
	w.connections = ""
	w.call(append(add, "--password-env=WRONG_PASSWORD")...).wantStatus(t, statusDone)

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan result, 1)
	go func() { ended <- invoke(ctx, strings.NewReader(""), w.at(w.url, "worker", "--log-format=json")...) }()
	defer func() {
		stop()
		r := <-ended
		r.wantStatus(t, statusDone)
		r.wantNone(t, testPassword)
	}()
	w.call("export", w.file(t, "c.ndjson", candidates), "--customer=1234", "--job="+testJob, "--generate-dummy-emails", "--idempotency-key=k").wantStatus(t, statusPartial)
	w.until("the wrong password is told", func(c store.StoredConnection) bool {
		return c.State == store.CredentialsRejected && c.Reason == "icims_credentials"
	})
	w.call("connection", "edit", "1234", "--password-env=TEST_ICIMS_PASSWORD", "--why=mended").wantStatus(t, statusDone)
	batch := store.BatchID(w.ledger.Keys().BatchID("1234", "k"))
	w.until("with the right one the exports go on", func(c store.StoredConnection) bool {
		b, err := w.ledger.Batches.Get(ctx, batch)
		return err == nil && b.Created == 2
	})
	dummies := 0
	for _, person := range w.tenant.People() {
		if email, _ := person.Fields["email"].(string); strings.HasSuffix(email, "@dummies.example.com") {
			dummies++
		}
	}
	if dummies != 1 {
		t.Errorf("%d people have an address of the customer's own domain, want 1", dummies)
	}
	var history []string
	events, err := w.ledger.Connections.History(ctx, "1234")
	for _, e := range events {
		history = append(history, e.What+" "+string(e.To))
	}
	if want := []string{"edited new", "moved credentials_rejected", "added new"}; err != nil || !slices.Equal(history, want) {
		t.Errorf("history: %q, %v", history, err)
	}
}

// A worker can start before there is any connection.
func TestWorkerWaitsForItsFirstConnection(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.connections = ""
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan result, 1)
	go func() { ended <- invoke(ctx, strings.NewReader(""), w.at(w.url, "worker", "--log-format=json")...) }()
	defer func() {
		stop()
		r := <-ended
		r.wantStatus(t, statusDone)
		if !strings.Contains(r.errors, "no usable connection yet") {
			t.Errorf("it does not say that it waits: %s", r.errors)
		}
	}()
	w.awaitWorker()
	w.call("connection", "add", "1234", "username=export-user", w.portal("1"), "--password-env=TEST_ICIMS_PASSWORD").wantStatus(t, statusDone)
	r := w.call("export", w.file(t, "c.ndjson", candidates), "--customer=1234", "--job="+testJob, "--wait", "--json")
	if got := decode[exportResult](t, r.out); got.Result == nil || got.Result.Created != 1 {
		t.Errorf("got %s%s", r.out, r.errors)
	}
}

// awaitWorker waits for a worker's first heartbeat.
func (w *ward) awaitWorker() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	for {
		if fleet, err := w.ledger.Workers.Fleet(ctx); err == nil && len(fleet.Workers) > 0 {
			return
		}
		if ctx.Err() != nil {
			w.t.Fatal("no worker is heard of within a minute")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// until waits until the customer's connection satisfies holds.
func (w *ward) until(what string, holds func(store.StoredConnection) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	for {
		c, err := w.ledger.Connections.Get(ctx, "1234")
		if err == nil && holds(c) {
			return
		}
		if ctx.Err() != nil {
			w.t.Fatalf("%s: not within a minute; %+v, %v", what, c, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestDryRunUsesTheStoredConnection(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.call("connection", "add", "1234", "username=export-user", w.portal("1"), "source=Sourced and kept", "--password-env=TEST_ICIMS_PASSWORD", "--why=new").wantStatus(t, statusDone)
	file := filepath.Join(t.TempDir(), "one.ndjson")
	if err := os.WriteFile(file, []byte(`{"id":"c-1","first_name":"Ana","last_name":"Duarte","email":"ana@example.com"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r := w.call("export", file, "--customer=1234", "--job="+testJob, "--dry-run")
	r.wantStatus(t, statusDone)
	r.wantAll(t, "Sourced and kept")
}
