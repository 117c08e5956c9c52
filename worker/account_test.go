package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// A refused account is recognized by iCIMS's message, whatever the status. Each further call with
// refused credentials brings the customer's account closer to being locked.
func TestRefusedAccountClosesLane(t *testing.T) {
	t.Parallel()
	const credentials, access = 6, 3
	for _, c := range []struct {
		status, code int
		reason       store.Reason
	}{
		{401, 0, "icims_credentials"},
		{400, credentials, "icims_credentials"},
		{403, credentials, "icims_credentials"},
		{404, credentials, "icims_credentials"},
		{409, credentials, "icims_credentials"},
		{422, credentials, "icims_credentials"},
		{403, 0, "icims_access_denied"},
		{400, access, "icims_access_denied"},
		{409, access, "icims_access_denied"},
		{422, access, "icims_access_denied"},
		{500, credentials, "icims_credentials"},
		{503, access, "icims_access_denied"},
	} {
		t.Run(fmt.Sprintf("%d with code %d is %s: a few calls, then the exports wait", c.status, c.code, c.reason), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm()})
			r.sim.AddRule(icimstest.Rule{Fault: icimstest.StatusBefore, Status: c.status, Code: c.code, Times: -1})
			id := r.send(input.ToJob(job), input.Options{}, people(60)...)
			r.eventually("the lane is closed", func() bool { return time.Until(r.wants()) > 20*time.Second })
			if n := r.sim.CallCount(); n == 0 || n > r.conn.Limits.InFlight {
				t.Errorf("%d calls for 60 exports, want at most the %d in flight", n, r.conn.Limits.InFlight)
			}
			standings, err := r.ledger.QuotaStatusesFor(t.Context(), []string{customer}, []store.Caller{{Limits: r.conn.Limits, Credentials: r.ledger.Keys().CredentialsHash(r.conn)}})
			if err != nil {
				t.Fatal(err)
			}
			if closed := standings[0].Closed; closed.Reason != c.reason {
				t.Errorf("closed for %q", closed.Reason)
			}
			for _, o := range r.outcomes(id) {
				if o.Attempts != 0 || o.State == store.Dead {
					t.Fatalf("an attempt was counted: %+v", o)
				}
			}
		})
	}
}

// With OAuth the token host refuses the credentials, before any call is made.
func TestRefusedTokenClosesLane(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	r.conn.Auth, r.conn.TokenURL, r.conn.Password = store.AuthOAuth, r.server.URL+"/oauth/token", "not the secret"
	r.worker.SetConnections([]store.Connection{r.conn})
	r.start()
	id := r.send(input.ToJob(job), input.Options{}, people(60)...)
	r.eventually("the lane is closed", func() bool { return time.Until(r.wants()) > 20*time.Second })
	if n := r.calls("oauth.token"); n == 0 || n > r.conn.Limits.InFlight {
		t.Errorf("%d token requests for 60 exports", n)
	}
	standings, err := r.ledger.QuotaStatusesFor(t.Context(), []string{customer}, []store.Caller{{Limits: r.conn.Limits, Credentials: r.ledger.Keys().CredentialsHash(r.conn)}})
	r.must(err)
	if closed := standings[0].Closed; closed.Reason != "icims_credentials" {
		t.Errorf("closed for %q", closed.Reason)
	}
	if own := standings[0].Own; own != 0 {
		t.Errorf("%d calls counted that were not made", own)
	}
	for _, o := range r.outcomes(id) {
		if o.Attempts != 0 || o.State == store.Dead {
			t.Fatalf("an attempt was counted: %+v", o)
		}
	}
}
