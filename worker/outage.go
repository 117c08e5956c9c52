package worker

import (
	"context"
	"sync"
	"time"

	"github.com/seekout/icims-export/store"
)

// outage records how long a customer's iCIMS has been failing, according to the breaker, and when
// to report it to the store.
type outage struct {
	mu         sync.Mutex
	since      time.Time // when the breaker opened; zero: it is closed
	reporting  bool
	nextReport time.Time // not before
}

const (
	// longOutage is how long a breaker must be open before the connection becomes degraded.
	// Exports wait much earlier. The report is repeated at this interval, since another process
	// may have reset the state.
	longOutage = 5 * time.Minute
	// reportRetry is the delay after a failed report.
	reportRetry = 10 * time.Second
)

// breakerChanged records a change of the breaker. Between probes it is half open or open.
func (t *outage) breakerChanged(closed bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case closed:
		t.since, t.nextReport = time.Time{}, time.Time{}
	case t.since.IsZero():
		t.since = now
	}
}

// beginReport reports whether the store has to be updated now. If so, the caller must call
// endReport.
func (t *outage) beginReport(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reporting || t.since.IsZero() || now.Sub(t.since) < longOutage || now.Before(t.nextReport) {
		return false
	}
	t.reporting = true
	return true
}

// endReport records the result of a report.
func (t *outage) endReport(now time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reporting, t.nextReport = false, now.Add(longOutage)
	if err != nil {
		t.nextReport = now.Add(reportRetry)
	}
}

// reportOutages marks connections as degraded whose iCIMS has been failing for long. They stay
// degraded until an export succeeds. The caller holds mu.
func (w *Worker) reportOutages(now time.Time) {
	for customer, k := range w.tenants {
		conn, t := w.connections[customer], k.breaker.outage
		if !conn.Stored || !t.beginReport(now) {
			continue
		}
		spawn(&w.background, w.log, "verdicts", func() {
			ctx, cancel := context.WithTimeout(context.Background(), storeVerdictTime)
			defer cancel()
			err := w.setConnectionState(ctx, conn, store.ConnectionDegraded, store.ReasonBreakerOpen)
			if err != nil {
				w.log.Warn().Err(err).Fields(store.LogFields(err)).Str("customer", customer).Msg("could not mark the connection as degraded; retrying")
			} else {
				w.forgetVerdict(customer)
			}
			t.endReport(now, err)
		})
	}
}

// forgetVerdict makes the next success of a customer's exports update the store.
func (w *Worker) forgetVerdict(customer string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l := w.lanes[customer]; l != nil {
		l.verdicts.forget()
	}
}
