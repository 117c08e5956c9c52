package worker

import (
	"context"
	"sync"
	"time"

	"github.com/seekout/icims-export/store"
)

// trouble is for how long a customer's iCIMS has been failing, as its breaker sees it,
// and whether the store is to be told.
type outage struct {
	mu         sync.Mutex
	since      time.Time // when the breaker opened; zero while it is closed
	reporting  bool
	nextReport time.Time // not to be told before
}

const (
	// longTrouble is for how long a breaker must not have been closed for people to be
	// told where they see the connection. Exports wait long before. As long as it lasts
	// the store is told again in such steps: another process may have taken it back.
	longOutage = 5 * time.Minute
	// tryToTell is when the store is told again that could not be told.
	reportRetry = 10 * time.Second
)

// changed notes a change of the breaker. Between probes it is half open or open.
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

// begin reports whether the store is to be told now. Then told must follow.
func (t *outage) beginReport(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reporting || t.since.IsZero() || now.Sub(t.since) < longOutage || now.Before(t.nextReport) {
		return false
	}
	t.reporting = true
	return true
}

// told notes whether the store knows.
func (t *outage) endReport(now time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reporting, t.nextReport = false, now.Add(longOutage)
	if err != nil {
		t.nextReport = now.Add(reportRetry)
	}
}

// tellTroubles tells the store of connections whose iCIMS has been failing for long:
// they are degraded, until an export succeeds. The caller holds mu.
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

// forgetVerdicts makes the next success of a customer's exports news.
func (w *Worker) forgetVerdict(customer string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l := w.lanes[customer]; l != nil {
		l.verdicts.forget()
	}
}
