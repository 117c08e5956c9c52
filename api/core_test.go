package api

import (
	"net/http"
	"testing"
)

func TestWhoAmI(t *testing.T) {
	r := newRig(t)
	var who WhoAmI
	r.call(r.key(ScopeExport, "1234"), http.MethodGet, "/v1/whoami", nil).is(http.StatusOK, &who)
	if who.Name != "test export" || len(who.Customers) != 1 || who.AllCustomers {
		t.Errorf("got %+v", who)
	}
	r.call("", http.MethodGet, "/v1/whoami", nil).problem(CodeUnauthenticated)
	r.call("ixk_abc_def", http.MethodGet, "/v1/whoami", nil).problem(CodeUnauthenticated)
	r.call("", http.MethodGet, "/nowhere", nil).problem(CodeNoRoute)
	r.call("", http.MethodPost, "/v1/whoami", "{}").problem(CodeMethodNotAllowed)
	r.call("", http.MethodGet, "/healthz", nil).is(http.StatusOK, nil)
	r.call("", http.MethodGet, "/openapi.json", nil).is(http.StatusOK, nil)
	if _, err := r.OpenAPI(); err != nil {
		t.Error(err)
	}
}
