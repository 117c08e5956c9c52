package api

import (
	"net/http"
	"sync"
)

// strangers counts the requests for pages that are made without a log-in, by the address
// that they come from. They need no key, and log-ins may come slowly: without a share one
// address could fill all places.
type strangers struct {
	most int

	mu        sync.Mutex
	addresses map[string]int
}

func newStrangers(places int) *strangers {
	const (
		share = 10
		// A browser asks for a page and its files at once.
		fewest = 8
	)
	return &strangers{most: min(places, max(fewest, places/share)), addresses: map[string]int{}}
}

func (s *strangers) enter(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addresses[address] >= s.most {
		return false
	}
	s.addresses[address]++
	return true
}

func (s *strangers) leave(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addresses[address]--; s.addresses[address] == 0 {
		delete(s.addresses, address)
	}
}

// Stranger answers a request for a page by somebody who is not logged in, with h, unless
// as many as one address may make are being answered.
func (s *Server) Stranger(w http.ResponseWriter, r *http.Request, h http.Handler) {
	from := s.guards.addressOf(r)
	if !s.guards.strangers.enter(from) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "From this address come as many requests without a log-in as are answered at the same time. Try again in a few seconds.", http.StatusTooManyRequests)
		return
	}
	defer s.guards.strangers.leave(from)
	h.ServeHTTP(w, r)
}
