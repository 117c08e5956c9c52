package main

import (
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

func TestVerifyPrintsEachCheckAndResult(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.work()
	r := w.call("connection", "add", "1234", "username=export-user", w.portal("1"), "--password-env=TEST_ICIMS_PASSWORD", "--verify", "--who=ana")
	r.wantStatus(t, statusDone)
	r.wantAll(t, "was added", "credentials\t\tok\t", "portal\t1\tok\t", "test_candidate\t\tok\t", "test_workflow\t\tok\t")
	if !strings.Contains(r.errors, "Customer 1234 is connected. It took ") {
		t.Errorf("%s", r.errors)
	}
	if !strings.Contains(r.errors, "One search finds several people: candidates are looked up in batches.") {
		t.Errorf("what was found out is not told: %s", r.errors)
	}
	r.wantNone(t, testPassword)
	if c, err := w.ledger.Connections.Get(t.Context(), "1234"); err != nil || c.State != store.ConnectionConnected {
		t.Errorf("%+v, %v", c, err)
	}

	r = w.call("verify", "1234", "--job=999999", "--json")
	r.wantStatus(t, statusPartial)
	if v := decode[verify.Verification](t, r.out); v.Report.Result != verify.ResultDegraded || v.Asks.Job != 999999 {
		t.Errorf("%+v", v)
	}
	r = w.call("verify", "1234", "--no-test-candidate")
	r.wantStatus(t, statusDone)
	r.wantAll(t, "test_candidate\t\tskipped\tnot_asked_for\t")

	w.call("connection", "edit", "1234", "--password-env=WRONG_PASSWORD", "--why=a new one").wantStatus(t, statusDone)
	r = w.call("verify", "1234", "--why=they cannot log in")
	r.wantStatus(t, statusFailed)
	r.wantAll(t, "credentials\t\tfailed\tcredentials_refused\tiCIMS refuses the user name or password.\t", "portal\t1\tskipped\tneeds_earlier_check\t")
	if !strings.Contains(r.errors, "iCIMS refuses the connection of customer 1234") {
		t.Errorf("%s", r.errors)
	}
	r = w.call("connection", "show", "1234")
	r.wantAll(t, "credentials_rejected", "found it verifying", "Not verified: each new candidate costs about 4 calls instead of 2")
}

func TestVerifyWithoutAWorkerSaysSo(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	r := w.call("verify", "1234", "--wait=4s")
	r.wantStatus(t, statusFailed)
	if !strings.Contains(r.errors, "No active workers") || !strings.Contains(r.errors, "continues in the background") {
		t.Errorf("%s", r.errors)
	}
	w.work()
	r = w.call("verify", "1234")
	r.wantStatus(t, statusDone)
	w.call("verify", "acme").wantStatus(t, statusUsage)
	w.call("verify", "1234", "--job=-1").wantStatus(t, statusUsage)
}
