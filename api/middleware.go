package api

import (
	"context"
	"errors"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"
)

// Handler returns the API's handler.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// serve wraps every request: with an ID, a deadline, safe headers and panic recovery, and a log
// line without request data.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	req := &request{id: newRequestID()}
	a := newResponse(w)
	r = r.WithContext(withRequest(r.Context(), req))
	setHeaders(a.Header(), req.id, s.Encrypted(r))
	_ = a.control.SetWriteDeadline(began.Add(s.Settings.RequestTimeout + writeGrace)) // connections of tests have no deadlines
	if r.ContentLength != 0 {
		_ = a.control.SetReadDeadline(began.Add(s.Settings.StallTimeout))
	}
	defer func() {
		fault := recover()
		a.finish()
		if fault != nil && fault != http.ErrAbortHandler { //nolint:errorlint // it is that very value
			s.Log.Error().Str("request", req.id).Str("op", req.op.ID).Bytes("stack", debug.Stack()).Msg("unexpected error in a request")
			if a.begun() {
				fault = http.ErrAbortHandler // the client must see that the response is incomplete
			} else {
				writeProblem(a, r, newProblem(CodeInternal, ""))
				fault = nil
			}
		}
		gone := req.code == CodeUnavailable && errors.Is(r.Context().Err(), context.Canceled)
		s.log(a, req, time.Since(began), gone)
		if s.Answered != nil {
			status := a.status
			if gone {
				status = statusCallerGone
			}
			s.Answered(req.op.ID, status, time.Since(began))
		}
		if fault != nil {
			panic(fault)
		}
	}()
	s.route(a, r)
}

// statusCallerGone is the logged status of a request whose client closed the connection. It is not
// an error of the server.
const statusCallerGone = 499

// setHeaders sets the headers of every response.
func setHeaders(h http.Header, request string, overTLS bool) {
	h.Set("X-Request-Id", request)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if overTLS {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// route finds the handler of a request. A request without one gets a problem.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	if tooLong(r) {
		writeProblem(w, r, newProblem(CodeHeadersTooLarge, ""))
		return
	}
	h, pattern := s.mux.Handler(r)
	if (pattern == "" || !clean(r)) && s.isPage(r.URL.Path) {
		s.servePage(w, r)
		return
	}
	if !clean(r) {
		writeProblem(w, r, newProblem(CodeNoRoute, ""))
		return
	}
	if pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	// The mux knows the allowed methods; only its text is replaced.
	seen := &headersOnly{header: http.Header{}}
	h.ServeHTTP(seen, r)
	if seen.status == http.StatusMethodNotAllowed {
		writeProblem(w, r, newProblem(CodeMethodNotAllowed, "").with("Allow", seen.header.Get("Allow")))
		return
	}
	writeProblem(w, r, newProblem(CodeNoRoute, ""))
}

// longestHeaders limits the size of a request's headers and URL. net/http refuses more than twice
// that with its own text.
const longestHeaders = 16 << 10

// tooLong reports whether a request exceeds longestHeaders.
func tooLong(r *http.Request) bool {
	size := len(r.RequestURI)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	return size > longestHeaders
}

// clean reports whether the mux would run a handler, and not redirect or respond with its own text.
func clean(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/") && r.URL.Path == path.Clean(r.URL.Path) && r.Method != http.MethodConnect
}

// headersOnly is a response writer that drops the body.
type headersOnly struct {
	header http.Header
	status int
}

func (h *headersOnly) Header() http.Header         { return h.header }
func (h *headersOnly) Write(p []byte) (int, error) { return len(p), nil }
func (h *headersOnly) WriteHeader(status int)      { h.status = status }

// log writes the request's line. It leaves out the path, which may contain a candidate's ID.
func (s *Server) log(a *response, req *request, took time.Duration, gone bool) {
	line := s.Log.Info()
	switch {
	case gone:
		line = s.Log.Debug() // failed after the client left, such as a closed page
	case a.status >= http.StatusInternalServerError:
		line = s.Log.Error()
	case req.op.Scope == scopeNone && req.op.ID != "":
		line = s.Log.Debug() // health checks come every few seconds
	}
	if req.op.ID != "" {
		line = line.Str("op", req.op.ID)
	}
	line = line.Str("request", req.id).Int("status", a.status).Dur("took_ms", took).Int64("bytes", a.written)
	if req.code != "" {
		line = line.Str("code", string(req.code))
	}
	if req.principal.Key != "" {
		line = line.Str("key", req.principal.Key)
	}
	if req.customer != "" {
		line = line.Str("customer", req.customer)
	}
	line.Msg("request")
}
