package api

import (
	"net/http"
	"strings"
	"time"
)

// pagesOp is what pages are to the log and the metrics, whichever it is.
var pagesOp = op{ID: "page", Scope: scopeNone}

// Mount lets a handler answer what is no route of the API. It gets the same safe
// headers, deadlines and protection from faults, and does the rest itself: who makes
// the request, and whether he may. Call it before the server serves.
func (s *Server) Mount(pages http.Handler) {
	s.pages = pages
	s.routed = append(s.routed, pagesOp.ID)
}

// isPage reports whether the mounted handler answers a path that no route has.
func (s *Server) isPage(path string) bool {
	return s.pages != nil && path != "/v1" && !strings.HasPrefix(path, "/v1/")
}

// servePage answers a request with the mounted handler. Bodies and answers may be
// streams; what stands still is cut off. Pages have places of their own: nobody needs a
// key to take one, and what they ask the API for takes one there.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	requestOf(r.Context()).op = pagesOp
	if !s.guards.pages.enter() {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "The console is busy. Try again in a few seconds.", http.StatusServiceUnavailable)
		return
	}
	defer s.guards.pages.leave()
	if a, ok := w.(*answer); ok {
		a.stream(s.Settings.StallTimeout)
	}
	const form = 1 << 20 // what a form has beside a file
	r.Body = s.readBody(w, r, s.Settings.MaxUpload+form)
	if b, ok := r.Body.(*body); ok && r.ContentLength >= 0 && r.ContentLength <= SmallForm {
		b.until = time.Now().Add(smallFormTime)
	}
	s.pages.ServeHTTP(w, r)
}

// SmallForm is how large a form is, in bytes, that has to come at once. Who is not logged
// in can send no other, so that he holds no place for long; see also Stranger and LoggedIn.
const SmallForm = 64 << 10

const smallFormTime = 10 * time.Second

// Encrypted reports whether a request came over TLS, to this process or to a proxy that
// is trusted and says so.
func (s *Server) Encrypted(r *http.Request) bool {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",") // each proxy adds its own
	return r.TLS != nil || s.guards.trustsPeer(r) && strings.EqualFold(strings.TrimSpace(first), "https")
}
