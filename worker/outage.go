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
func (o *outage) breakerChanged(closed bool, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case closed:
		o.since, o.nextReport = time.Time{}, time.Time{}
	case o.since.IsZero():
		o.since = now
	}
}

// beginReport reports whether the store has to be updated now. If so, the caller must call
// endReport.
func (o *outage) beginReport(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reporting || o.since.IsZero() || now.Sub(o.since) < longOutage || now.Before(o.nextReport) {
		return false
	}
	o.reporting = true
	return true
}

// endReport records the result of a report.
func (o *outage) endReport(now time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reporting, o.nextReport = false, now.Add(longOutage)
	if err != nil {
		o.nextReport = now.Add(reportRetry)
	}
}

// reportOutages marks connections as degraded whose iCIMS has been failing for long. They stay
// degraded until an export succeeds. The caller holds mu.
func (w *Worker) reportOutages(now time.Time) {
	for customer, k := range w.tenants {
		conn, o := w.connections[customer], k.breaker.outage
		if !conn.Stored || !o.beginReport(now) {
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
			o.endReport(now, err)
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
