package api

import (
	"net/http"
	"sync"
)

// pageShares counts concurrent page requests by visitor: the key of a login, or an address without
// one. Without shares, one slow visitor could take all slots, and so could many addresses together,
// which need no key.
type pageShares struct {
	key, address, strangers int // limits per key, per address, and for all anonymous visitors

	mu       sync.Mutex
	taken    map[visitor]int
	together int // of all anonymous visitors
}

// visitor identifies who requests a page.
type visitor struct {
	stranger bool
	name     string // the key's ID, or an address
}

func newPageShares(slots int) *pageShares {
	const (
		ofKey     = 4
		ofAddress = 10
		// A browser requests a page and its files at once.
		fewest = 8
	)
	half := max(1, slots/2)
	return &pageShares{
		key: min(half, max(fewest, slots/ofKey)), address: min(half, max(fewest, slots/ofAddress)), strangers: half, taken: map[visitor]int{},
	}
}

// fullShare is the reason why a page request must wait.
type fullShare struct {
	status int
	reason string
}

// The shares that can be full.
var (
	keyFull       = &fullShare{http.StatusTooManyRequests, "Too many concurrent page requests with this API key."}
	addressFull   = &fullShare{http.StatusTooManyRequests, "Too many concurrent requests without a session from this address."}
	strangersFull = &fullShare{http.StatusServiceUnavailable, "Too many concurrent requests without a session."}
)

// enter takes a slot, or returns the share that is full.
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

// count adds requests, or removes them. s.mu is held.
func (s *pageShares) count(v visitor, n int) {
	if v.stranger {
		s.together += n
	}
	if s.taken[v] += n; s.taken[v] == 0 {
		delete(s.taken, v)
	}
}

// Stranger serves an anonymous page request with h, unless its address, or all anonymous visitors
// together, have reached their limit.
func (s *Server) Stranger(w http.ResponseWriter, r *http.Request, h http.Handler) {
	s.share(w, r, visitor{stranger: true, name: s.guards.addressOf(r)}, h)
}

// LoggedIn serves a page request of an API key's session with h, unless the key has reached its
// limit. It does not check that the key is still valid.
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

// Address returns the address that a request comes from, behind trusted proxies.
func (s *Server) Address(r *http.Request) string { return s.guards.addressOf(r) }
