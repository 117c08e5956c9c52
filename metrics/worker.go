package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker"
	"github.com/seekout/icims-export/worker/control"
	"github.com/seekout/icims-export/worker/intake"
)

// WorkerMetrics counts the events of a worker. Pass it to Worker.Observe.
type WorkerMetrics struct {
	exports, calls, refused, breakers, findings, control, intake, forged *prometheus.CounterVec
	took, waited                                                         *prometheus.HistogramVec
}

var _ worker.Observer = (*WorkerMetrics)(nil)

// NewWorkerMetrics registers a worker's metrics. vitals returns the worker's state.
func NewWorkerMetrics(r prometheus.Registerer, vitals func() worker.Vitals) *WorkerMetrics {
	m := &WorkerMetrics{
		exports: newExports(r), calls: callsTotal.counterIn(r), refused: permitsRefused.counterIn(r), breakers: breakerChanges.counterIn(r),
		findings: findingsTotal.counterIn(r), control: controlTotal.counterIn(r), intake: intakeTotal.counterIn(r), forged: forgedTotal.counterIn(r),
		took: callDuration.histogramIn(r), waited: permitWait.histogramIn(r),
	}
	r.MustRegister(vitalsCollector(vitals))
	return m
}

// newExports registers the counter of exports with all possible series: created exports have no
// reason.
func newExports(r prometheus.Registerer) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: exportsTotal.Name, Help: exportsTotal.Help}, exportsTotal.labelNames())
	for _, how := range worker.Outcomes() {
		for _, why := range reasonsOf(how) {
			vec.WithLabelValues(string(how), why)
		}
	}
	r.MustRegister(vec)
	return vec
}

// reasonsOf returns the possible reasons of an outcome.
func reasonsOf(how worker.Outcome) []string {
	switch how {
	case worker.OutcomeCreated, worker.OutcomeUpdated, worker.OutcomeReleased:
		return []string{labelNone}
	case worker.OutcomeSkipped:
		return []string{string(store.ReasonExportedBefore)}
	case worker.OutcomeFault:
		return []string{string(store.ReasonInternal)}
	case worker.OutcomeDeferred, worker.OutcomeRetrying, worker.OutcomeUnknown, worker.OutcomeDead:
	}
	return labelReason.Values
}

// Handled counts an export.
func (m *WorkerMetrics) Handled(how worker.Outcome, why store.Reason) {
	m.exports.WithLabelValues(labelOutcome.within(string(how)), labelReason.within(string(why))).Inc()
}

// Called counts a call.
func (m *WorkerMetrics) Called(op icims.Op, status int, took time.Duration) {
	name := labelOperation.within(op.Name)
	m.calls.WithLabelValues(name, classOf(status)).Inc()
	m.took.WithLabelValues(name).Observe(took.Seconds())
}

// Permitted counts a wait for a permit.
func (m *WorkerMetrics) Permitted(express bool, waited time.Duration, granted bool) {
	queue := queueBulk
	if express {
		queue = queueExpress
	}
	if !granted {
		m.refused.WithLabelValues(queue).Inc()
		return
	}
	m.waited.WithLabelValues(queue).Observe(waited.Seconds())
}

// BreakerIs counts a state change of a breaker.
func (m *WorkerMetrics) BreakerIs(state string) {
	m.breakers.WithLabelValues(labelBreaker.within(state)).Inc()
}

// Reconciled counts findings.
func (m *WorkerMetrics) Reconciled(what worker.Finding, n int) {
	m.findings.WithLabelValues(labelFinding.within(string(what))).Add(float64(n))
}

// Forged counts a forgery.
func (m *WorkerMetrics) Forged(what store.Forgery) {
	m.forged.WithLabelValues(labelForgery.within(string(what))).Inc()
}

// ControlTaskEnded counts a run of a control task.
func (m *WorkerMetrics) ControlTaskEnded(kind store.ControlKind, end control.End) {
	m.control.WithLabelValues(labelControl.within(string(kind)), labelControlEnd.within(string(end))).Inc()
}

// IntakeEnded counts an intake task.
func (m *WorkerMetrics) IntakeEnded(how intake.End) {
	m.intake.WithLabelValues(labelIntakeEnd.within(string(how))).Inc()
}

// vitalsCollector exports the state of a worker.
type vitalsCollector func() worker.Vitals

var vitalMetrics = []*Metric{callsInFlight, callsAtOnce, breakers, lanes, lanesAtOnce, customersRefused, controlRunning, leader}

// Describe implements prometheus.Collector.
func (vitalsCollector) Describe(out chan<- *prometheus.Desc) { describe(out, vitalMetrics) }

// Collect implements prometheus.Collector.
func (c vitalsCollector) Collect(out chan<- prometheus.Metric) {
	v, show := c(), showing(out)
	show(callsInFlight, float64(v.Calls))
	show(callsAtOnce, float64(v.MaxCalls))
	for _, state := range labelBreaker.Values {
		show(breakers, float64(v.Breakers[state]), state)
	}
	show(lanes, float64(v.Open), laneOpen)
	show(lanes, float64(v.Closing), laneClosing)
	show(lanes, float64(v.Waiting), laneWanted)
	show(lanesAtOnce, float64(v.MaxLanes))
	show(customersRefused, float64(v.Refused))
	running := map[string]int{}
	for kind, n := range v.Control {
		running[labelControl.within(string(kind))] += n
	}
	for _, kind := range labelControl.Values {
		show(controlRunning, float64(running[kind]), kind)
	}
	show(leader, flag(v.Leads))
}

func describe(out chan<- *prometheus.Desc, metrics []*Metric) {
	for _, m := range metrics {
		out <- m.desc()
	}
}

// showing returns a function that exports one value.
func showing(out chan<- prometheus.Metric) func(m *Metric, value float64, labels ...string) {
	return func(m *Metric, value float64, labels ...string) {
		kind := prometheus.GaugeValue
		if m.Kind == Counter {
			kind = prometheus.CounterValue
		}
		out <- prometheus.MustNewConstMetric(m.desc(), kind, value, labels...)
	}
}

func flag(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
