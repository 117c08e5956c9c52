package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/metrics"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker"
)

// observed serves the metrics and health of this process. Without an address, nothing is counted.
type observed struct {
	registry *prometheus.Registry
	listener net.Listener
	log      zerolog.Logger

	stop    context.CancelFunc
	serving sync.WaitGroup
}

// openMetrics starts listening if metrics are configured.
func openMetrics(ctx context.Context, s config.Settings, log zerolog.Logger) (*observed, error) {
	if s.MetricsListen == "" {
		return &observed{stop: func() {}}, nil
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", s.MetricsListen)
	if err != nil {
		return nil, usageError("cannot listen on %s for metrics (%s): set --metrics-listen to a free address of this machine, a different one per process", s.MetricsListen, rootCause(err))
	}
	return &observed{registry: metrics.NewRegistry(), listener: listener, log: log, stop: func() { _ = listener.Close() }}, nil
}

func (o *observed) on() bool { return o.registry != nil }

// redis counts the commands of a Redis client.
func (o *observed) redis(client redis.UniversalClient) {
	if o.on() {
		metrics.WatchRedis(o.registry, client)
	}
}

// worker serves the metrics of a worker that has not started yet.
func (o *observed) worker(ctx context.Context, w *worker.Worker, client redis.UniversalClient, ledger *store.Ledger, byCustomer bool) {
	o.serve(ctx, o.countWorker(w, client, ledger, byCustomer))
}

// countWorker registers a worker's metrics, and returns its health.
func (o *observed) countWorker(w *worker.Worker, client redis.UniversalClient, ledger *store.Ledger, byCustomer bool) *metrics.Health {
	if o.on() {
		w.Observe(metrics.NewWorkerMetrics(o.registry, w.Vitals))
		service := admin.New(admin.Config{Redis: client, Ledger: ledger})
		o.registry.MustRegister(metrics.NewFleet(service, func() bool { return w.Vitals().Leads }, byCustomer))
	}
	return &metrics.Health{Redis: client, Writes: store.NewWriteProbe(ledger.Checks.Writable, time.Now), Lanes: w.Ready, Alive: w.Alive}
}

// api serves the metrics of an API server that has not started yet.
func (o *observed) api(ctx context.Context, s *api.Server) {
	o.countAPI(s)
	o.serve(ctx, &metrics.Health{Redis: s.Redis, Writes: s.Writes()})
}

// countAPI registers an API server's metrics.
func (o *observed) countAPI(s *api.Server) {
	if o.on() {
		s.Answered = metrics.NewAPIMetrics(o.registry, s.Operations()).Answered
	}
}

// serve serves metrics until close.
func (o *observed) serve(ctx context.Context, h *metrics.Health) {
	if !o.on() {
		return
	}
	o.registry.MustRegister(h)
	ctx, o.stop = context.WithCancel(context.WithoutCancel(ctx))
	o.serving.Go(func() {
		if err := metrics.Serve(ctx, o.listener, metrics.Handler(o.registry, h)); err != nil && err != http.ErrServerClosed { //nolint:errorlint // it is that very value
			o.log.Error().Str("problem", rootCause(err)).Msg("metrics server failed")
		}
	})
	o.log.Info().Str("address", o.listener.Addr().String()).Msg("metrics server started")
	if tcp, ok := o.listener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		o.log.Warn().Msg("other machines can reach the metrics address, which requires no key: restrict it to Prometheus and load balancers")
	}
}

// close stops the server. It comes last, so that health is reported while the process stops.
func (o *observed) close() {
	o.stop()
	o.serving.Wait()
}
