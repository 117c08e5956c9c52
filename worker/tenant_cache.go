package worker

import (
	"maps"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store"
)

// learned is what this process knows of a customer beyond one lane: lessons cost
// calls, and a lane that closes while iCIMS fails must not forget that.
type tenantCache struct {
	tenant   *tenant
	breaker  *breaker
	throttle *throttle

	since time.Time // of the first lane
	used  time.Time // when a lane was last open
}

const (
	// rememberFor is for how long what was learned outlives the last lane.
	cacheFor = 15 * time.Minute
	// learnAgain is after how long a lane learns about its tenant again: administrators
	// may have corrected what it refused.
	relearnAfter = time.Hour
)

// recall returns what is known of a customer. The caller holds mu.
func (w *Worker) cacheTenant(conn store.Connection, fresh func() *tenantCache) *tenantCache {
	now := time.Now()
	k := w.tenants[conn.Customer]
	if k == nil {
		k = fresh()
		k.since = now
		w.tenants[conn.Customer] = k
	} else if now.Sub(k.since) > relearnAfter {
		k.tenant, k.since = newTenant(conn, conn.Profile.SettleTime(w.settings.SettleTime)), now
	}
	k.used = now
	return k
}

// learn is recall for one that may not be known. The caller holds mu.
func (w *Worker) cachedTenant(conn store.Connection, log zerolog.Logger) *tenantCache {
	return w.cacheTenant(conn, func() *tenantCache {
		return &tenantCache{tenant: newTenant(conn, conn.Profile.SettleTime(w.settings.SettleTime)), breaker: newBreaker(conn.Customer, log, w.reportBreaker(conn.Customer)), throttle: newThrottle(time.Now)}
	})
}

// forget drops what was learned of customers without a lane for long. The caller
// holds mu.
func (w *Worker) evictTenants(now time.Time) {
	for customer := range w.lanes {
		if k := w.tenants[customer]; k != nil {
			k.used = now
		}
	}
	maps.DeleteFunc(w.loggedUnreadable, func(_ string, at time.Time) bool { return now.Sub(at) > cacheFor })
	for customer, k := range w.tenants {
		if now.Sub(k.used) > cacheFor {
			delete(w.tenants, customer)
		}
	}
}
