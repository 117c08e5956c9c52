package monitoring

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// reply is a response of the API.
type reply struct {
	status int
	text   string
	json   bool
}

func (a reply) write(w http.ResponseWriter) {
	switch {
	case a.json:
		w.Header().Set("Content-Type", "application/json")
	case a.text != "":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(a.text))
}

// ask has asynqmon answer a request whose path is one that is served. What asynqmon says
// of a failure is not passed on: it may hold addresses, and whole tasks.
func (h *Handler) ask(r *http.Request, path string, body []byte) reply {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	seen := askInner(h.inner, method, &url.URL{Path: h.options.Path + "/api" + path, RawQuery: queryOf(r.URL.Query())}, body)
	switch {
	case seen.status == http.StatusNotFound, seen.status >= http.StatusBadRequest && missing(seen.body.String()):
		return reply{status: http.StatusNotFound, text: "Queue or task not found.\n"}
	case seen.status >= http.StatusBadRequest:
		h.options.Log.Warn().Int("status", seen.status).Msg("asynq's web UI failed")
		return reply{status: http.StatusBadGateway, text: "Unexpected response from Redis. See the Lanes page or icims-export lanes.\n"}
	case seen.body.Len() == 0:
		return reply{status: seen.status}
	}
	text, err := hide(seen.body.Bytes())
	if err != nil {
		h.options.Log.Error().Msg("asynq's web UI returned invalid JSON")
		return reply{status: http.StatusBadGateway, text: "asynq's web UI returned an invalid response.\n"}
	}
	return reply{status: seen.status, text: string(text), json: true}
}

// missing reports whether a failure of asynq's means an unknown queue, which
// asynqmon has no status for.
func missing(failure string) bool {
	return strings.Contains(failure, "NOT_FOUND") || strings.Contains(failure, "queue not found")
}

// askInner makes a request of an inner handler.
func askInner(inner http.Handler, method string, u *url.URL, body []byte) *seen {
	s := &seen{header: http.Header{}, status: http.StatusOK}
	inner.ServeHTTP(s, &http.Request{
		Method: method, URL: u, Host: "localhost", Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	})
	return s
}

// seen is an inner handler's answer.
type seen struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is for the inner handler, as Write and WriteHeader are.
func (s *seen) Header() http.Header         { return s.header }
func (s *seen) Write(p []byte) (int, error) { return s.body.Write(p) }
func (s *seen) WriteHeader(status int)      { s.status = status }

// shared keeps answers that are the same for all, so that many open pages cost Redis no
// more than one.
type shared struct {
	mu   sync.Mutex
	kept map[string]keptReply
}

type keptReply struct {
	answer reply
	until  time.Time
}

// keep is for how long an answer is kept. The pages ask every 8 seconds.
const keep = 5 * time.Second

// answer returns the answer of a path that is kept, or asks for it. One asks at a time.
func (s *shared) answer(path string, ask func() reply) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.kept[path]; ok && time.Now().Before(k.until) {
		return k.answer
	}
	answer := ask()
	if s.kept == nil {
		s.kept = map[string]keptReply{}
	}
	s.kept[path] = keptReply{answer, time.Now().Add(keep)}
	return answer
}

// forget makes the next answers new ones.
func (s *shared) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = nil
}
