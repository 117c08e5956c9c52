package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/quota"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

func TestLastCallsOfTheDayAreUsed(t *testing.T) {
	t.Parallel()
	const budget, handlers = 30, 10
	r := newRig(t, rigOptions{
		sim: calm(), conn: func(c *store.Connection) { c.Limits.CallsPerDay = budget },
		settings: func(s *worker.Settings) { s.LaneConcurrency = handlers },
	})
	id := r.send(input.Prospects, input.Options{}, people(100)...)
	r.eventually("the lane closes", func() bool { return strings.Contains(r.logs.String(), "lane closed") })
	// The last call may have been returned unused by an export as the lane closed.
	if n := r.sim.CallCount(); n > budget || n < budget-1 {
		t.Errorf("%d calls of %d", n, budget)
	}
	// Each handler may hold an export that used the last call for a look-up and cannot create the
	// person. No handler takes another one.
	if n := strings.Count(r.logs.String(), `"outcome":"deferred"`); n > handlers {
		t.Errorf("%d exports taken only to be deferred", n)
	}

	r.conn.Limits.CallsPerDay = 1_000_000
	r.worker.SetConnections([]store.Connection{r.conn})
	if b := r.finished(id); b.Created != 100 {
		t.Errorf("batch %+v", b)
	}
	r.clean()
}

func TestRaisedLimitRunsDeferredExports(t *testing.T) {
	t.Parallel()
	const lookUpAndCreate = 3
	r := newRig(t, rigOptions{
		sim: calm(), conn: func(c *store.Connection) { c.Limits.CallsPerDay = lookUpAndCreate },
		settings: func(s *worker.Settings) { s.LaneIdle = time.Hour },
	})
	id := r.send(input.ToJob(job), input.Options{}, ana())
	r.eventually("the workflow is deferred", func() bool { return strings.Contains(r.logs.String(), `"outcome":"deferred"`) })
	r.conn.Limits.CallsPerDay = 1_000_000
	r.worker.SetConnections([]store.Connection{r.conn})
	if b := r.finished(id); b.Created != 1 {
		t.Errorf("batch %+v", b)
	}
	if strings.Contains(r.logs.String(), "lane closed") {
		t.Error("the lane was closed")
	}
	r.clean()
}

func TestRaisedLimitReopensCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	limits := store.Limits{CallsPerSecond: 100, Burst: 10, InFlight: 4, CallsPerDay: 2}
	if _, err := r.ledger.Quota().Ask(t.Context(), customer, quota.Request{Worker: "w", Limits: limits, Hold: 1e9, First: 1, Bulk: 2}); err != nil {
		t.Fatal(err)
	}
	raised := limits
	raised.CallsPerDay = 100
	for name, c := range map[string]struct {
		limits store.Limits
		want   store.Reason
	}{
		"the current limits": {store.Limits{}, store.Reason(icims.ReasonQuotaExhausted)},
		"the same limits":    {limits, store.Reason(icims.ReasonQuotaExhausted)},
		"raised limits":      {raised, ""},
	} {
		standings, err := r.ledger.QuotaStatusesFor(t.Context(), []string{customer}, []store.Caller{{Limits: c.limits}})
		if err != nil {
			t.Fatal(err)
		}
		if got := standings[0].Closed.Reason; got != c.want {
			t.Errorf("%s: closed for %q, want %q", name, got, c.want)
		}
	}
}
