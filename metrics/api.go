package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// APIMetrics counts the requests of the HTTP API.
type APIMetrics struct {
	routes   Label
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

// NewAPIMetrics registers the API's metrics for its operations.
func NewAPIMetrics(r prometheus.Registerer, operations []string) *APIMetrics {
	routes := labelRoute
	routes.Values = append(slices.Clone(operations), labelNone)
	counted, timed := *requestsTotal, *requestDuration
	counted.Labels, timed.Labels = []Label{routes, labelStatus}, []Label{routes}
	return &APIMetrics{routes: routes, requests: counted.counterIn(r), took: timed.histogramIn(r)}
}

// Answered counts a request. Set it as api.Deps.Answered.
func (m *APIMetrics) Answered(operation string, status int, took time.Duration) {
	operation = m.routes.within(operation)
	m.requests.WithLabelValues(operation, classOf(status)).Inc()
	m.took.WithLabelValues(operation).Observe(took.Seconds())
}
