package worker

import (
	"context"
	"sync"
	"time"

	"github.com/seekout/icims-export/store"
)

// trouble is for how long a customer's iCIMS has been failing, as its breaker sees it.
type trouble struct {
	mu    sync.Mutex
	since time.Time // when the breaker opened; zero while it is closed
	told  bool
}

// longTrouble is for how long a breaker must not have been closed for people to be
// told where they see the connection. Exports wait long before.
const longTrouble = 5 * time.Minute

// changed notes a change of the breaker. Between probes it is half open or open.
func (t *trouble) changed(closed bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case closed:
		t.since, t.told = time.Time{}, false
	case t.since.IsZero():
		t.since = now
	}
}

// isLong reports, once, that it has lasted for long.
func (t *trouble) isLong(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	long := !t.told && !t.since.IsZero() && now.Sub(t.since) >= longTrouble
	t.told = t.told || long
	return long
}

// tellTroubles tells the store of connections whose iCIMS has been failing for long:
// they are degraded, until an export succeeds. The caller holds mu.
func (w *Worker) tellTroubles(now time.Time) {
	for customer, k := range w.learned {
		conn := w.connections[customer]
		if !conn.Stored || !k.breaker.trouble.isLong(now) {
			continue
		}
		if l := w.lanes[customer]; l != nil {
			l.verdicts.set(store.ConnectionDegraded) // so that a success is news
		}
		w.retiring.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), verdictTime)
			defer cancel()
			if err := w.tellVerdict(ctx, conn, store.ConnectionDegraded, store.ReasonBreakerOpen); err != nil {
				w.log.Warn().Err(err).Str("customer", customer).Msg("that iCIMS has been failing for long cannot be recorded")
			}
		})
	}
}
