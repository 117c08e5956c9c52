package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewRegistry returns a registry with Go and process metrics.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return r
}

// scrapesAtOnce limits concurrent scrapes.
const scrapesAtOnce = 3

// Handler serves /metrics, /healthz and /readyz without authentication. Listen on an internal
// address only.
func Handler(g prometheus.Gatherer, h *Health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{
		MaxRequestsInFlight: scrapesAtOnce, ErrorHandling: promhttp.ContinueOnError,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		r := Readiness{Status: "ok"}
		if h.Alive != nil {
			if err := h.Alive(); err != nil {
				r = Readiness{Status: "stuck", Checks: []Check{{checkLanes, false, err.Error(), "Restart the process."}}}
			}
		}
		answer(w, r, r.Status == "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, req *http.Request) {
		r := h.Ready(req.Context())
		answer(w, r, r.Ready())
	})
	return mux
}

func answer(w http.ResponseWriter, r Readiness, good bool) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !good {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(r) //nolint:errchkjson // only texts, and the client may be gone
}

const (
	headersWithin = 5 * time.Second
	answerWithin  = 20 * time.Second
	idleFor       = 2 * time.Minute
	stopWithin    = 2 * time.Second
)

// Serve serves on a listener until ctx ends.
func Serve(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: headersWithin, ReadTimeout: headersWithin, WriteTimeout: answerWithin, IdleTimeout: idleFor,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
