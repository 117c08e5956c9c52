package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/store"
)

// session records a console session of an API key.
func (r *rig) session(key string) string {
	r.t.Helper()
	s, err := r.Ledger.Access.NewSession(r.t.Context(), store.Session{
		Key: strings.Split(key, "_")[1], Name: "test", Address: "192.0.2.7", Began: r.now.Now(), Until: r.now.Now().Add(12 * time.Hour), IdleSeconds: 3600,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.now.Pass(time.Minute)
	return s.ID
}

// sessions returns the IDs of the sessions that a key sees.
func (r *rig) sessions(key string) []string {
	r.t.Helper()
	var list SessionList
	r.call(key, http.MethodGet, "/v1/sessions", nil).is(http.StatusOK, &list)
	ids := []string{}
	for _, s := range list.Sessions {
		ids = append(ids, s.ID)
	}
	return ids
}

// A key lists and ends its own sessions. An admin key for all customers lists and ends the sessions
// of all keys.
func TestSessionsAreListedAndEnded(t *testing.T) {
	r := newRig(t)
	own, other, bound, admin := r.key(ScopeRead), r.key(ScopeExport), r.key(ScopeAdmin, "1234"), r.key(ScopeAdmin)
	first, second, third := r.session(own), r.session(own), r.session(other)
	for name, tt := range map[string]struct {
		key  string
		want []string
	}{
		"own": {own, []string{second, first}}, "another": {other, []string{third}}, "admin of one customer": {bound, []string{}},
		"admin": {admin, []string{third, second, first}},
	} {
		if diff := cmp.Diff(tt.want, r.sessions(tt.key)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}

	r.call(own, http.MethodDelete, "/v1/sessions/"+third, nil).problem(CodeNoSession)
	r.call(bound, http.MethodDelete, "/v1/sessions/"+third, nil).problem(CodeNoSession)
	r.call(own, http.MethodDelete, "/v1/sessions/"+first, nil).is(http.StatusNoContent, nil)
	r.call(own, http.MethodDelete, "/v1/sessions/"+first, nil).problem(CodeNoSession)
	r.call(admin, http.MethodDelete, "/v1/sessions/"+third, nil).is(http.StatusNoContent, nil)
	if diff := cmp.Diff([]string{second}, r.sessions(admin)); diff != "" {
		t.Error(diff)
	}
	var told []string
	for _, e := range r.journal("end-session") {
		told = append(told, e.Key+" "+string(e.Outcome)+" "+e.Object)
	}
	by := func(key string) string { return strings.Split(key, "_")[1] }
	want := []string{by(admin) + " done " + third, by(admin) + " asked " + third, by(own) + " done " + first, by(own) + " asked " + first}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("the journal: %s", diff)
	}
}

// A session ends even if the audit log cannot be written.
func TestSessionEndsWithoutAuditLog(t *testing.T) {
	r := newRig(t)
	key := r.key(ScopeRead)
	id := r.session(key)
	if err := r.redis.Set(t.Context(), "ix:journal:"+r.now.Now().UTC().Format("20060102"), "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	r.call(key, http.MethodDelete, "/v1/sessions/"+id, nil).is(http.StatusNoContent, nil)
	if left := r.sessions(key); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if !strings.Contains(r.log.String(), "writing the audit log failed") {
		t.Errorf("the log has %s", r.log.String())
	}
}
