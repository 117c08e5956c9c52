package worker_test

import (
	"testing"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

func TestARaisedLimitOpensAClosedCustomer(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	limits := store.Limits{CallsPerSecond: 100, Burst: 10, InFlight: 4, CallsPerDay: 2}
	if _, err := r.ledger.Permits(t.Context(), customer, store.PermitRequest{Worker: "w", Limits: limits, Hold: 1e9, First: 1, Bulk: 2}); err != nil {
		t.Fatal(err)
	}
	raised := limits
	raised.CallsPerDay = 100
	for name, c := range map[string]struct {
		limits store.Limits
		want   store.Reason
	}{
		"by the limits in force":  {store.Limits{}, store.Reason(icims.ReasonQuotaExhausted)},
		"by the same limits":      {limits, store.Reason(icims.ReasonQuotaExhausted)},
		"by limits that are more": {raised, ""},
	} {
		standings, err := r.ledger.StandingsFor(t.Context(), []string{customer}, []store.Caller{{Limits: c.limits}})
		if err != nil {
			t.Fatal(err)
		}
		if got := standings[0].Closed.Reason; got != c.want {
			t.Errorf("%s: closed for %q, want %q", name, got, c.want)
		}
	}
}
