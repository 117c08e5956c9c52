package api

import (
	"net/http"
	"sync"
)

// pageShares counts the requests for pages that are being answered, by whom they are from:
// the key of a log-in, or an address without one. Pages may come and go slowly: without a
// share one of them could take all places, and so could many addresses together, which need
// no key.
type pageShares struct {
	key, address, strangers int // the most of each, and of all strangers together

	mu       sync.Mutex
	taken    map[visitor]int
	together int // by all strangers
}

// visitor is whom a request for a page is from.
type visitor struct {
	stranger bool
	name     string // the key's id, or a stranger's address
}

func newPageShares(places int) *pageShares {
	const (
		ofKey     = 4
		ofAddress = 10
		// A browser asks for a page and its files at once.
		fewest = 8
	)
	half := max(1, places/2)
	return &pageShares{
		key: min(half, max(fewest, places/ofKey)), address: min(half, max(fewest, places/ofAddress)), strangers: half, taken: map[visitor]int{},
	}
}

// fullShare is why a request for a page has to wait.
type fullShare struct {
	status int
	reason string
}

// Shares that can be full.
var (
	keyFull       = &fullShare{http.StatusTooManyRequests, "Too many concurrent page requests with this API key."}
	addressFull   = &fullShare{http.StatusTooManyRequests, "Too many concurrent requests without a session from this address."}
	strangersFull = &fullShare{http.StatusServiceUnavailable, "Too many concurrent requests without a session."}
)

// enter takes a place, or says which share is full.
func (s *pageShares) enter(v visitor) *fullShare {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !v.stranger && s.taken[v] >= s.key:
		return keyFull
	case v.stranger && s.taken[v] >= s.address:
		return addressFull
	case v.stranger && s.together >= s.strangers:
		return strangersFull
	}
	s.count(v, 1)
	return nil
}

func (s *pageShares) leave(v visitor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(v, -1)
}

// count enters requests that begin, or takes them out. s.mu is held.
func (s *pageShares) count(v visitor, n int) {
	if v.stranger {
		s.together += n
	}
	if s.taken[v] += n; s.taken[v] == 0 {
		delete(s.taken, v)
	}
}

// Stranger answers a request for a page by somebody who is not logged in, with h, unless
// as many are being answered as one address, or all together, may make.
func (s *Server) Stranger(w http.ResponseWriter, r *http.Request, h http.Handler) {
	s.share(w, r, visitor{stranger: true, name: s.guards.addressOf(r)}, h)
}

// LoggedIn answers a request for a page by somebody who logged in with the API key of the
// id, with h, unless as many are being answered as one key may make. Whether the key is
// still good is not looked into.
func (s *Server) LoggedIn(w http.ResponseWriter, r *http.Request, key string, h http.Handler) {
	s.share(w, r, visitor{name: key}, h)
}

func (s *Server) share(w http.ResponseWriter, r *http.Request, v visitor, h http.Handler) {
	if full := s.guards.shares.enter(v); full != nil {
		w.Header().Set("Retry-After", "5")
		http.Error(w, full.reason+" Try again in a few seconds.", full.status)
		return
	}
	defer s.guards.shares.leave(v)
	h.ServeHTTP(w, r)
}

// Address is the address that a request comes from, behind trusted proxies.
func (s *Server) Address(r *http.Request) string { return s.guards.addressOf(r) }
