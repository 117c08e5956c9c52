package worker

import (
	"maps"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store"
)

// learned is what this process knows of a customer beyond one lane: lessons cost
// calls, and a lane that closes while iCIMS fails must not forget that.
type learned struct {
	tenant   *tenant
	breaker  *breaker
	throttle *throttle

	since time.Time // of the first lane
	used  time.Time // when a lane was last open
}

const (
	// rememberFor is for how long what was learned outlives the last lane.
	rememberFor = 15 * time.Minute
	// learnAgain is after how long a lane learns about its tenant again: administrators
	// may have corrected what it refused.
	learnAgain = time.Hour
)

// recall returns what is known of a customer. The caller holds mu.
func (w *Worker) recall(conn store.Connection, fresh func() *learned) *learned {
	now := time.Now()
	k := w.learned[conn.Customer]
	if k == nil {
		k = fresh()
		k.since = now
		w.learned[conn.Customer] = k
	} else if now.Sub(k.since) > learnAgain {
		k.tenant, k.since = newTenant(conn, conn.Profile.SettleTime(w.settings.SettleTime)), now
	}
	k.used = now
	return k
}

// learn is recall for one that may not be known. The caller holds mu.
func (w *Worker) learn(conn store.Connection, log zerolog.Logger) *learned {
	return w.recall(conn, func() *learned {
		return &learned{tenant: newTenant(conn, conn.Profile.SettleTime(w.settings.SettleTime)), breaker: newBreaker(conn.Customer, log, w.tellBreaker(conn.Customer)), throttle: newThrottle(time.Now)}
	})
}

// forget drops what was learned of customers without a lane for long. The caller
// holds mu.
func (w *Worker) forget(now time.Time) {
	for customer := range w.lanes {
		if k := w.learned[customer]; k != nil {
			k.used = now
		}
	}
	maps.DeleteFunc(w.complained, func(_ string, at time.Time) bool { return now.Sub(at) > rememberFor })
	for customer, k := range w.learned {
		if now.Sub(k.used) > rememberFor {
			delete(w.learned, customer)
		}
	}
}
