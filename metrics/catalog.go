package metrics

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Namespace is the prefix of all metric names.
const Namespace = "icims_export"

// Kind is the type of a metric.
type Kind string

// The types of metrics.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Source says which processes export a metric.
type Source string

// The sources.
const (
	EveryProcess Source = "all"
	EveryWorker  Source = "worker"
	// Leader is the worker that runs the sweep. It alone exports the fleet metrics.
	Leader    Source = "leader"
	APIServer Source = "serve"
)

// Metric declares a metric.
type Metric struct {
	Name   string
	Kind   Kind
	Source Source
	Help   string
	Labels []Label

	buckets []float64
}

func (m *Metric) labelNames() []string {
	names := make([]string, len(m.Labels))
	for i, l := range m.Labels {
		names[i] = l.Name
	}
	return names
}

var catalog []*Metric

func declare(kind Kind, source Source, name, help string, labels ...Label) *Metric {
	m := &Metric{Name: Namespace + "_" + name, Kind: kind, Source: source, Help: help, Labels: labels}
	catalog = append(catalog, m)
	return m
}

func declareTimes(source Source, name, help string, buckets []float64, labels ...Label) *Metric {
	m := declare(Histogram, source, name, help, labels...)
	m.buckets = buckets
	return m
}

// Catalog returns all metrics of this package, including those per customer, by source and name.
func Catalog() []Metric {
	all := make([]Metric, len(catalog))
	for i, m := range catalog {
		all[i] = *m
		all[i].Labels = slices.Clone(m.Labels)
	}
	sources := []Source{EveryWorker, Leader, APIServer, EveryProcess}
	slices.SortFunc(all, func(a, b Metric) int {
		return cmp.Or(cmp.Compare(slices.Index(sources, a.Source), slices.Index(sources, b.Source)), cmp.Compare(a.Name, b.Name))
	})
	return all
}

var (
	callBuckets   = []float64{0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30}
	waitBuckets   = []float64{0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300, 1800}
	redisBuckets  = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 3}
	answerBuckets = []float64{0.005, 0.01, 0.025, 0.1, 0.25, 1, 5, 30, 120}
)

// The metrics.
var (
	exportsTotal = declare(Counter, EveryWorker, "exports_total", "Export attempts, by outcome and reason.", labelOutcome, labelReason)

	callsTotal     = declare(Counter, EveryWorker, "calls_total", "Calls to iCIMS.", labelOperation, labelStatus)
	callDuration   = declareTimes(EveryWorker, "call_duration_seconds", "Duration of calls to iCIMS.", callBuckets, labelOperation)
	callsInFlight  = declare(Gauge, EveryWorker, "calls_in_flight", "Calls to iCIMS that hold a permit or wait for one.")
	callsAtOnce    = declare(Gauge, EveryWorker, "calls_in_flight_limit", "Maximum concurrent calls of the process (max_calls).")
	permitWait     = declareTimes(EveryWorker, "permit_wait_seconds", "Time that calls waited for a permit of the rate limiter.", waitBuckets, labelQueue)
	permitsRefused = declare(Counter, EveryWorker, "permits_refused_total", "Calls that the rate limiter postponed.", labelQueue)

	breakers       = declare(Gauge, EveryWorker, "breakers", "Circuit breakers of the process, one per recently served customer.", labelBreaker)
	breakerChanges = declare(Counter, EveryWorker, "breaker_changes_total", "State changes of circuit breakers, by new state.", labelBreaker)

	lanes            = declare(Gauge, EveryWorker, "lanes", "Lanes of the process.", labelLane)
	lanesAtOnce      = declare(Gauge, EveryWorker, "lanes_limit", "Maximum lanes of the process (max_lanes).")
	customersRefused = declare(Gauge, EveryWorker, "customers_refused", "Customers with work but without a connection that the process can use.")
	findingsTotal    = declare(Counter, EveryWorker, "reconciler_findings_total", "Repairs by the sweep.", labelFinding)
	controlRunning   = declare(Gauge, EveryWorker, "control_tasks_running", "Control tasks in progress.", labelControl)
	controlTotal     = declare(Counter, EveryWorker, "control_tasks_total", "Runs of control tasks, by end.", labelControl, labelControlEnd)
	intakeTotal      = declare(Counter, EveryWorker, "intake_tasks_total", "Finished tasks of the queue icims:intake, by end.", labelIntakeEnd)
	forgedTotal      = declare(Counter, EveryWorker, "forged_records_total", "Refused Redis records that icims-export did not write, or not in this form.", labelForgery)
	leader           = declare(Gauge, EveryWorker, "leader", "1 if the process is the leader, which runs the sweep and exports the fleet metrics.")

	laneDepth        = declare(Gauge, Leader, "lane_depth", "Exports in the queues of all customers.", labelQueue, labelWork)
	laneOldest       = declare(Gauge, Leader, "lane_oldest_age_seconds", "Age of the oldest waiting export of all customers.", labelQueue, labelHeld)
	customers        = declare(Gauge, Leader, "customers", "Customers with work, by lane state.", labelCustomers)
	customersHeld    = declare(Gauge, Leader, "customers_held", "Customers with blocked exports, by reason.", labelHoldReason)
	budget           = declare(Gauge, Leader, "budget_calls", "Daily calls of all customers with work.")
	budgetLeft       = declare(Gauge, Leader, "budget_left_calls", "Remaining daily calls of all customers with work.")
	budgetRatio      = declare(Gauge, Leader, "budget_left_ratio", "Smallest remaining share of daily calls among customers with work; 1 if there are none.")
	deadLetters      = declare(Gauge, Leader, "dead_letters", "Dead letters. Counted customer by customer, so some minutes old.")
	auditViolations  = declare(Gauge, Leader, "audit_violations", "Violations in the last quick audit of each customer. Must be 0.", labelViolation)
	auditsTotal      = declare(Counter, Leader, "audits_total", "Quick audits. Each read of the fleet audits one customer with work and one of all customers.")
	workers          = declare(Gauge, Leader, "workers", "Active workers.")
	redisLoss        = declare(Gauge, Leader, "redis_loss_timestamp_seconds", "Time at which a worker last noticed that Redis lost or may have lost writes. 0 for all kinds but the last.", labelLoss)
	fieldsLost       = declare(Gauge, Leader, "read_back_fields_lost", "Customers whose iCIMS lost a field: at least 90% of it arrived in an earlier read-back, and less than half in the last. Read customer by customer, so some minutes old.", labelField)
	fleetRead        = declare(Gauge, Leader, "fleet_read_timestamp_seconds", "Time of the last read of the fleet.")
	fleetReadsFailed = declare(Counter, Leader, "fleet_read_failures_total", "Failed reads of the fleet.")

	customerDepth  = declare(Gauge, Leader, "customer_lane_depth", "Exports in the queues of a customer with work.", labelCustomer, labelQueue, labelWork)
	customerOldest = declare(Gauge, Leader, "customer_lane_oldest_age_seconds", "Age of the customer's oldest waiting export.", labelCustomer, labelQueue)
	customerState  = declare(Gauge, Leader, "customer_lane_state", "1 for the current state of the customer's lane, 0 for the others.", labelCustomer, labelCustomers)
	customerBudget = declare(Gauge, Leader, "customer_budget_calls", "Daily calls of the customer.", labelCustomer)
	customerLeft   = declare(Gauge, Leader, "customer_budget_left_calls", "Remaining daily calls of the customer.", labelCustomer)

	customerFieldShare   = declare(Gauge, Leader, "customer_read_back_share_ratio", "Share of exports in the last read-back in which a sent field arrived.", labelCustomer, labelField)
	customerFieldEarlier = declare(Gauge, Leader, "customer_read_back_earlier_share_ratio", "That share when the field last arrived before.", labelCustomer, labelField)
	customerReadBack     = declare(Gauge, Leader, "customer_read_back_timestamp_seconds", "End of the customer's last complete read-back.", labelCustomer)

	requestsTotal   = declare(Counter, APIServer, "api_requests_total", "Requests to the HTTP API.", labelRoute, labelStatus)
	requestDuration = declareTimes(APIServer, "api_request_duration_seconds", "Duration of requests to the HTTP API, streams included.", answerBuckets, labelRoute)

	ready         = declare(Gauge, EveryProcess, "ready", "1 if a check of /readyz passes.", labelCheck)
	redisRisks    = declare(Gauge, EveryProcess, "redis_risks", "Redis settings that can lose exports. Must be 0.")
	redisTrips    = declare(Counter, EveryProcess, "redis_round_trips_total", "Round trips to Redis.", labelTrip)
	redisCommands = declare(Counter, EveryProcess, "redis_commands_total", "Commands to Redis, pipelined ones included.")
	redisDuration = declareTimes(EveryProcess, "redis_round_trip_duration_seconds", "Duration of round trips to Redis.", redisBuckets, labelTrip)
	redisErrors   = declare(Counter, EveryProcess, "redis_errors_total", "Failed round trips to Redis, by cause.", labelTrouble)
)

func (m *Metric) desc() *prometheus.Desc {
	return prometheus.NewDesc(m.Name, m.Help, m.labelNames(), nil)
}

// counterIn registers the counter with all its series.
func (m *Metric) counterIn(r prometheus.Registerer) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, m.labelNames())
	m.each(func(values []string) { vec.WithLabelValues(values...) })
	r.MustRegister(vec)
	return vec
}

// histogramIn registers the histogram with all its series.
func (m *Metric) histogramIn(r prometheus.Registerer) *prometheus.HistogramVec {
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: m.buckets}, m.labelNames())
	m.each(func(values []string) { vec.WithLabelValues(values...) })
	r.MustRegister(vec)
	return vec
}

// each calls f with every combination of label values.
func (m *Metric) each(f func(values []string)) { combine(m.Labels, nil, f) }

func combine(labels []Label, so []string, f func([]string)) {
	if len(labels) == 0 {
		f(so)
		return
	}
	for _, v := range labels[0].Values {
		combine(labels[1:], append(slices.Clone(so), v), f)
	}
}
