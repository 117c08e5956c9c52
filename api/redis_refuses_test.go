package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/verify"
)

// Lanes, waiting verifications, changes and /readyz report a Redis that refuses writes with its
// message and the remedy. None of them asks for a worker.
func TestRefusingRedisIsNamed(t *testing.T) {
	for _, refusal := range redistest.Refusals() {
		t.Run(refusal.Name, func(t *testing.T) {
			t.Parallel()
			server := refusal.Start(t)
			r := newRigOn(t, server.Client(t))
			key := r.key(ScopeAdmin)
			var asked verify.Verification
			r.call(key, http.MethodPost, "/v1/customers/1234/verifications", map[string]any{}).is(http.StatusAccepted, &asked)
			refusal.Begin(t, server)
			r.now.Pass(time.Second)

			named := func(what, said string) {
				t.Helper()
				if missing := refusal.Missing(said); len(missing) > 0 || strings.Contains(said, "Start one") {
					t.Errorf("%s lacks %q or asks for a worker: %q", what, missing, said)
				}
			}
			var list admin.LaneList
			r.call(key, http.MethodGet, "/v1/lanes", nil).is(http.StatusOK, &list)
			var lane admin.LaneDetail
			r.call(key, http.MethodGet, "/v1/customers/1234/lane", nil).is(http.StatusOK, &lane)
			if list.Outage == nil || lane.Outage == nil {
				t.Fatalf("no outage: %+v %+v", list.Outage, lane.Outage)
			}
			named("lanes", list.Outage.String())
			named("the lane", lane.Outage.String())
			var v verify.Verification
			r.call(key, http.MethodGet, "/v1/customers/1234/verifications/"+asked.ID, nil).is(http.StatusOK, &v)
			named("the verification", v.Problem+" "+v.Remedy)
			named("a change", r.call(key, http.MethodPost, "/v1/customers/1234/verifications", map[string]any{"job": 1709}).problem(CodeUnavailable).Detail)
			named("/readyz", r.call("", http.MethodGet, "/readyz", nil).problem(CodeUnavailable).Detail)
		})
	}
}
