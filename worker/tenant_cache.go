package worker

import (
	"maps"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store"
)

// tenantCache is what this process knows about a customer. It outlives lanes: relearning costs
// calls, and a lane that closes while iCIMS fails must not reset the breaker.
type tenantCache struct {
	tenant   *tenant
	breaker  *breaker
	throttle *throttle

	since time.Time // when the tenant was cached
	used  time.Time // when a lane was last open
}

const (
	// cacheFor is how long the cache outlives the last lane.
	cacheFor = 15 * time.Minute
	// relearnAfter is when a tenant is learned again: administrators may have corrected a cause
	// of refusals.
	relearnAfter = time.Hour
)

// tenantOrNew returns the cache of a customer; fresh creates it. The caller holds mu.
func (w *Worker) tenantOrNew(conn store.Connection, fresh func() *tenantCache) *tenantCache {
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

// cachedTenant returns the cache of a connection's customer. The caller holds mu.
func (w *Worker) cachedTenant(conn store.Connection, log zerolog.Logger) *tenantCache {
	return w.tenantOrNew(conn, func() *tenantCache {
		return &tenantCache{tenant: newTenant(conn, conn.Profile.SettleTime(w.settings.SettleTime)), breaker: newBreaker(conn.Customer, log, w.reportBreaker(conn.Customer)), throttle: newThrottle(time.Now)}
	})
}

// evictTenants removes customers that had no lane for long. The caller holds mu.
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
