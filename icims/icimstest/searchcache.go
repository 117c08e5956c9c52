package icimstest

import (
	"sync"
	"time"
)

// searchCache holds results by search. All users of a tenant share it, as in iCIMS. It is cleared
// when it is full.
type searchCache struct {
	mu      sync.Mutex
	results map[string]cachedResult
}

type cachedResult struct {
	ids []int64
	at  time.Time
}

const searchCacheSize = 2048

// through returns the cached result unless it is older than the search accepts; a staleness of zero
// always searches.
func (sc *searchCache) through(now time.Time, q query, kind string, search func() []int64) []int64 {
	key := kind + "\n" + q.key
	if q.stale > 0 {
		sc.mu.Lock()
		hit, found := sc.results[key]
		sc.mu.Unlock()
		if found && now.Sub(hit.at) < q.stale {
			return hit.ids
		}
	}
	ids := search()
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.results == nil || len(sc.results) >= searchCacheSize {
		sc.results = map[string]cachedResult{}
	}
	sc.results[key] = cachedResult{ids, now}
	return ids
}

func (sc *searchCache) clear() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.results = nil
}
