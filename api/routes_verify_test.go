package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

// begun claims the customer's verification, as a worker would.
func (r *rig) begun(customer string) store.ControlClaim {
	r.t.Helper()
	return testrig.BeginControl(r.t, r.Ledger, customer, store.ControlVerify)
}

func decoded[T any](r *reply) T {
	r.t.Helper()
	var v T
	if err := json.Unmarshal(r.body, &v); err != nil {
		r.t.Fatalf("%v: %s", err, r.body)
	}
	return v
}

func TestVerificationOverTheAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.key(ScopeAdmin)
	asked := r.call(admin, http.MethodPost, "/v1/customers/1234/verifications", map[string]any{"job": 1701})
	v := decoded[StartedVerification](asked)
	if asked.StatusCode != http.StatusAccepted || v.Joined || v.State != store.ControlWaiting || v.Asks.Job != 1701 || v.By != "test admin" {
		t.Errorf("asked: %d %+v", asked.StatusCode, v)
	}
	if v.Problem != "No active workers." {
		t.Errorf("without a worker: %q", v.Problem)
	}
	place := asked.Header.Get("Location")
	if place != "/v1/customers/1234/verifications/"+v.ID {
		t.Errorf("Location %q", place)
	}
	if again := decoded[StartedVerification](r.call(admin, http.MethodPost, "/v1/customers/1234/verifications", map[string]any{})); !again.Joined || again.ID != v.ID {
		t.Errorf("asked again: %+v", again)
	}

	claim := r.begun("1234")
	done := make(chan verify.Verification)
	go func() {
		done <- decoded[verify.Verification](r.call(admin, http.MethodGet, place+"?wait=30s", nil))
	}()
	report := verify.Report{Result: verify.ResultDegraded, Checks: []verify.Check{{Name: verify.CheckReach, State: verify.OK}}}
	if err := r.Ledger.Control.Step(t.Context(), claim, store.ControlStep{Result: report}); err != nil {
		t.Fatal(err)
	}
	seen := decoded[verify.Verification](r.call(admin, http.MethodGet, place+"?wait=30&seen=1", nil))
	if seen.State != store.ControlRunning || len(seen.Report.Checks) != 1 {
		t.Errorf("under way: %+v", seen)
	}
	if err := r.Ledger.Control.Step(t.Context(), claim, store.ControlStep{To: store.ControlDone, Result: report, Calls: 9}); err != nil {
		t.Fatal(err)
	}
	if end := <-done; end.State != store.ControlDone || end.Calls != 9 || end.Report.Result != verify.ResultDegraded {
		t.Errorf("ended: %+v", end)
	}
	list := decoded[Verifications](r.call(r.key(ScopeRead, "1234"), http.MethodGet, "/v1/customers/1234/verifications", nil))
	if len(list.Verifications) != 1 || list.Verifications[0].ID != v.ID {
		t.Errorf("listed: %+v", list)
	}
}

func TestVerificationsOfCustomersAreSeparate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := decoded[StartedVerification](r.call(r.key(ScopeAdmin, "1234"), http.MethodPost, "/v1/customers/1234/verifications", map[string]any{}))
	for name, c := range map[string]struct {
		key, method, path string
		status            int
		code              Code
	}{
		"to read is not to verify":      {r.key(ScopeRead), http.MethodPost, "/v1/customers/1234/verifications", http.StatusForbidden, CodeScopeMissing},
		"another customer's key":        {r.key(ScopeAdmin, "99"), http.MethodGet, "/v1/customers/1234/verifications/" + v.ID, http.StatusNotFound, CodeCustomerUnknown},
		"under another customer's name": {r.key(ScopeAdmin), http.MethodGet, "/v1/customers/99/verifications/" + v.ID, http.StatusNotFound, CodeNoVerification},
		"one that is not there":         {r.key(ScopeAdmin), http.MethodGet, "/v1/customers/1234/verifications/aaaaaaaaaaaaaaaa", http.StatusNotFound, CodeNoVerification},
		"a job that is none":            {r.key(ScopeAdmin), http.MethodGet, "/v1/customers/1234/verifications/NONE", http.StatusUnprocessableEntity, CodeInvalid},
	} {
		response := r.call(c.key, c.method, c.path, nil)
		if response.StatusCode != c.status || decoded[Problem](response).Code != c.code {
			t.Errorf("%s: %d %s", name, response.StatusCode, response.body)
		}
	}
}

func TestRemovedConnectionIsNotVerified(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := store.Connection{Customer: "1234", Username: "u", Password: "p", PortalURLs: "https://api.icims.com/customers/1234/search/portals/1?staleness=0"}
	if _, err := r.Ledger.Connections.Add(t.Context(), c, "maria", ""); err != nil {
		t.Fatal(err)
	}
	if err := r.Ledger.Connections.Remove(t.Context(), "1234", 0, "maria", ""); err != nil {
		t.Fatal(err)
	}
	response := r.call(r.key(ScopeAdmin), http.MethodPost, "/v1/customers/1234/verifications", map[string]any{})
	if p := decoded[Problem](response); p.Code != CodeNoConnection {
		t.Errorf("%d %s", response.StatusCode, response.body)
	}
}

func TestEgressAddressesAreListed(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(d *Deps) { d.Settings.EgressAddresses = []string{"192.0.2.7", "192.0.2.8"} })
	response := r.call(r.key(ScopeRead, "1234"), http.MethodGet, "/v1/egress", nil)
	if list := decoded[Egress](response); strings.Join(list.Addresses, " ") != "192.0.2.7 192.0.2.8" {
		t.Errorf("%s", response.body)
	}
}
