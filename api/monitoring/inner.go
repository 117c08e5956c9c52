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

// reply is a response of asynqmon.
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

// query sends a request to asynqmon; its path must be one that is served. asynqmon's error texts are
// dropped: they may contain addresses or whole tasks.
func (h *Handler) query(r *http.Request, path string, body []byte) reply {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	seen := queryInner(h.inner, method, &url.URL{Path: h.options.Path + "/api" + path, RawQuery: queryOf(r.URL.Query())}, body)
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

// missing reports whether asynq's error means an unknown queue, for which asynqmon has no status.
func missing(failure string) bool {
	return strings.Contains(failure, "NOT_FOUND") || strings.Contains(failure, "queue not found")
}

// queryInner makes a request to an inner handler.
func queryInner(inner http.Handler, method string, u *url.URL, body []byte) *seen {
	s := &seen{header: http.Header{}, status: http.StatusOK}
	inner.ServeHTTP(s, &http.Request{
		Method: method, URL: u, Host: "localhost", Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	})
	return s
}

// seen records an inner handler's response.
type seen struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (s *seen) Header() http.Header         { return s.header }
func (s *seen) Write(p []byte) (int, error) { return s.body.Write(p) }
func (s *seen) WriteHeader(status int)      { s.status = status }

// shared caches responses that are the same for all callers, so that many open pages cost Redis as
// much as one.
type shared struct {
	mu   sync.Mutex
	kept map[string]keptReply
}

type keptReply struct {
	answer reply
	until  time.Time
}

// keep is how long a response is cached. The pages poll every 8 seconds.
const keep = 5 * time.Second

// answer returns the cached response of a path, or calls ask. Only one call runs at a time.
func (s *shared) answer(path string, query func() reply) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.kept[path]; ok && time.Now().Before(k.until) {
		return k.answer
	}
	answer := query()
	if s.kept == nil {
		s.kept = map[string]keptReply{}
	}
	s.kept[path] = keptReply{answer, time.Now().Add(keep)}
	return answer
}

// forget clears the cache.
func (s *shared) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = nil
}
