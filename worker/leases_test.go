package worker

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

func TestWritesNeedATrustedClaim(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := Settings{Lease: 60 * time.Second, SettleTime: 90 * time.Second, CallTimeout: 30 * time.Second}
	l := newLeases(nil, s, func() time.Time { return now })
	calls := 0
	wire := roundTripper(func(req *http.Request) (*http.Response, error) {
		calls++
		return &http.Response{
			StatusCode: http.StatusCreated, Body: http.NoBody, Request: req,
			Header: http.Header{"Location": {"https://api.icims.com/customers/1234/people/7"}},
		}, nil
	})
	hosts, err := icims.ParseHostPolicy("")
	if err != nil {
		t.Fatal(err)
	}
	portals, err := icims.ParsePortalURLs("https://api.icims.com/customers/1234/search/portals/1?staleness=0", hosts)
	if err != nil {
		t.Fatal(err)
	}
	client, err := icims.New(portals[0].Root, "1234", icims.Basic("u", "p"), icims.WithBaseTransport(wire), icims.WithMiddleware(l.middleware))
	if err != nil {
		t.Fatal(err)
	}
	ctx, h := l.begin(t.Context())
	defer h.cancel(nil)
	claim := &store.Claim{}
	l.hold(claim, h, now)
	create := func() outcome {
		_, _, err := client.CreatePerson(ctx, icims.Fields{"lastname": "x"})
		if err == nil {
			return outcome{}
		}
		return failed(err)
	}

	now = now.Add(l.trusted)
	if o := create(); o.kind != proceed || calls != 1 {
		t.Fatalf("trusted claim: %s, %v", o.kind, o.err)
	}
	now = now.Add(time.Millisecond)
	if o := create(); o.kind != deferred || o.reason != store.ReasonClaimUnrenewed || o.after != untrustedPause || calls != 1 {
		t.Errorf("untrusted claim: %s for %s in %s, %d calls, %v", o.kind, o.reason, o.after, calls, o.err)
	}
	if _, err := client.PatchPerson(ctx, 7, icims.Fields{"lastname": "x"}); err != nil && strings.Contains(err.Error(), string(store.ReasonClaimUnrenewed)) {
		t.Errorf("a repeatable write is deferred: %v", err)
	}
	h.renewedAt(now)
	if o := create(); o.kind != proceed {
		t.Errorf("renewed: %s, %v", o.kind, o.err)
	}
	t.Run("a possibly lost write settles before the next worker looks", func(t *testing.T) {
		s.SettleTime = 40 * time.Second
		if got := newLeases(nil, s, time.Now).trusted; got <= 0 || got+s.CallTimeout > s.SettleTime {
			t.Errorf("a write may begin %s after the last renewal and take %s", got, s.CallTimeout)
		}
	})
}
