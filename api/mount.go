package api

import (
	"net/http"
	"strings"
	"time"
)

// pagesOp stands for all pages in the log and metrics.
var pagesOp = op{ID: "page", Scope: scopeNone}

// Mount adds a handler for paths that are not routes of the API. It gets the same headers,
// deadlines and panic recovery. It authenticates requests itself. Call it before the server serves.
func (s *Server) Mount(pages http.Handler) {
	s.pages = pages
	s.routed = append(s.routed, pagesOp.ID)
}

// isPage reports whether the mounted handler serves a path.
func (s *Server) isPage(path string) bool {
	return s.pages != nil && path != "/v1" && !strings.HasPrefix(path, "/v1/")
}

// servePage serves a request with the mounted handler. Bodies and responses may be streams; stalled
// ones are ended. Pages have request slots of their own, since they need no key. Their calls to the
// API take slots there.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	requestOf(r.Context()).op = pagesOp
	if !s.guards.pages.enter() {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "The console is busy. Try again in a few seconds.", http.StatusServiceUnavailable)
		return
	}
	defer s.guards.pages.leave()
	if a, ok := w.(*response); ok {
		a.stream(s.Settings.StallTimeout)
	}
	const form = 1 << 20 // the fields of a form beside its file
	r.Body = s.readBody(w, r, s.Settings.MaxUpload+form)
	if b, ok := r.Body.(*body); ok && r.ContentLength >= 0 && r.ContentLength <= SmallForm {
		b.until = time.Now().Add(smallFormTime)
	}
	s.pages.ServeHTTP(w, r)
}

// SmallForm is the maximum size in bytes of forms that are read with the request's own deadline.
// Anonymous clients cannot send larger ones, so they cannot hold a slot for long; see also Stranger
// and LoggedIn.
const SmallForm = 64 << 10

const smallFormTime = 10 * time.Second

// Encrypted reports whether a request came over TLS, to this process or to a trusted proxy that
// says so.
func (s *Server) Encrypted(r *http.Request) bool {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",") // each proxy adds its own value
	return r.TLS != nil || s.guards.trustsPeer(r) && strings.EqualFold(strings.TrimSpace(first), "https")
}
