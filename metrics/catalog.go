package metrics

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Namespace is what the names of all metrics begin with.
const Namespace = "icims_export"

// Kind is what a metric is.
type Kind string

// The kinds of metrics.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Source is which processes show a metric.
type Source string

// The sources.
const (
	EveryProcess Source = "all"
	EveryWorker  Source = "worker"
	// Leader is the worker that reconciles: of what is the same seen from everywhere
	// one process tells.
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

// Catalog lists all metrics of this package, those of customers included, by source
// and name.
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
	exportsTotal = declare(Counter, EveryWorker, "exports_total", "Times that an export was handled, by how that ended and why.", labelOutcome, labelReason)

	callsTotal     = declare(Counter, EveryWorker, "calls_total", "Calls to iCIMS.", labelOperation, labelStatus)
	callDuration   = declareTimes(EveryWorker, "call_duration_seconds", "How long calls to iCIMS took.", callBuckets, labelOperation)
	callsInFlight  = declare(Gauge, EveryWorker, "calls_in_flight", "Calls to iCIMS that the process has a permit for, or asks one for.")
	callsAtOnce    = declare(Gauge, EveryWorker, "calls_in_flight_limit", "Most calls that the process makes at the same time (max_calls).")
	permitWait     = declareTimes(EveryWorker, "permit_wait_seconds", "How long calls waited until a permit allowed them.", waitBuckets, labelQueue)
	permitsRefused = declare(Counter, EveryWorker, "permits_refused_total", "Calls that were put off instead of being given a permit.", labelQueue)

	breakers       = declare(Gauge, EveryWorker, "breakers", "Circuit breakers of the process, one for each customer lately served.", labelBreaker)
	breakerChanges = declare(Counter, EveryWorker, "breaker_changes_total", "Changes of circuit breakers, by the state that they changed to.", labelBreaker)

	lanes            = declare(Gauge, EveryWorker, "lanes", "Lanes of the process.", labelLane)
	lanesAtOnce      = declare(Gauge, EveryWorker, "lanes_limit", "Most lanes that the process opens (max_lanes).")
	customersRefused = declare(Gauge, EveryWorker, "customers_refused", "Customers with work that the process has no usable connection for.")
	findingsTotal    = declare(Counter, EveryWorker, "reconciler_findings_total", "What the reconciler has put right.", labelFinding)
	controlRunning   = declare(Gauge, EveryWorker, "control_tasks_running", "Control tasks that the process runs.", labelControl)
	controlTotal     = declare(Counter, EveryWorker, "control_tasks_total", "Runs of control tasks, by how they ended.", labelControl, labelControlEnd)
	intakeTotal      = declare(Counter, EveryWorker, "intake_tasks_total", "Tasks of the queue icims:intake that have ended, by how.", labelIntakeEnd)
	forgedTotal      = declare(Counter, EveryWorker, "forged_records_total", "Records in Redis that this service did not write as they stood, and that the process refused.", labelForgery)
	leader           = declare(Gauge, EveryWorker, "leader", "1 where the process reconciles and shows the fleet's metrics.")

	laneDepth        = declare(Gauge, Leader, "lane_depth", "Exports in the queues of all customers.", labelQueue, labelWork)
	laneOldest       = declare(Gauge, Leader, "lane_oldest_age_seconds", "For how long the export has waited that has waited longest, of all customers.", labelQueue, labelHeld)
	customers        = declare(Gauge, Leader, "customers", "Customers with work, by how they stand.", labelCustomers)
	customersHeld    = declare(Gauge, Leader, "customers_held", "Customers with work whose exports are held back, by why.", labelHoldReason)
	budget           = declare(Gauge, Leader, "budget_calls", "Calls that customers with work have for the day, all together.")
	budgetLeft       = declare(Gauge, Leader, "budget_left_calls", "Calls of them that are left, all together.")
	budgetRatio      = declare(Gauge, Leader, "budget_left_ratio", "Part of the day's calls that is left to the customer with work that has the smallest; 1 without any.")
	deadLetters      = declare(Gauge, Leader, "dead_letters", "Exports that were given up and wait for somebody. Counted customer by customer, so some minutes old.")
	auditViolations  = declare(Gauge, Leader, "audit_violations", "Violations at the last quick audit of each customer. Must be 0.", labelViolation)
	auditsTotal      = declare(Counter, Leader, "audits_total", "Quick audits made: of a customer with work and of any customer at each reading of the fleet.")
	workers          = declare(Gauge, Leader, "workers", "Worker processes that have been heard of lately.")
	redisLoss        = declare(Gauge, Leader, "redis_loss_timestamp_seconds", "When a worker last noticed that Redis lost writes, or may have, by how; 0 for the kinds that are not the last one.", labelLoss)
	fieldsLost       = declare(Gauge, Leader, "read_back_fields_lost", "Customers in whose iCIMS a field does not arrive any more, by their last read-back: 90% or more of it arrived before, less than half now. Read customer by customer, so some minutes old.", labelField)
	fleetRead        = declare(Gauge, Leader, "fleet_read_timestamp_seconds", "When the fleet was last read.")
	fleetReadsFailed = declare(Counter, Leader, "fleet_read_failures_total", "Readings of the fleet that failed.")

	customerDepth  = declare(Gauge, Leader, "customer_lane_depth", "Exports in the queues of a customer with work.", labelCustomer, labelQueue, labelWork)
	customerOldest = declare(Gauge, Leader, "customer_lane_oldest_age_seconds", "For how long the customer's export has waited that has waited longest.", labelCustomer, labelQueue)
	customerState  = declare(Gauge, Leader, "customer_lane_state", "1 for the state that the customer's lane is in, 0 for the others.", labelCustomer, labelCustomers)
	customerBudget = declare(Gauge, Leader, "customer_budget_calls", "Calls that the customer has for the day.", labelCustomer)
	customerLeft   = declare(Gauge, Leader, "customer_budget_left_calls", "Calls of the day that are left to the customer.", labelCustomer)

	customerFieldShare   = declare(Gauge, Leader, "customer_read_back_share_ratio", "Part of the exports of the customer's last read-back in which a field arrived, of those that sent it.", labelCustomer, labelField)
	customerFieldEarlier = declare(Gauge, Leader, "customer_read_back_earlier_share_ratio", "What that part was when the field last arrived before.", labelCustomer, labelField)
	customerReadBack     = declare(Gauge, Leader, "customer_read_back_timestamp_seconds", "When the customer's last complete read-back ended.", labelCustomer)

	requestsTotal   = declare(Counter, APIServer, "api_requests_total", "Requests to the HTTP API.", labelRoute, labelStatus)
	requestDuration = declareTimes(APIServer, "api_request_duration_seconds", "How long requests to the HTTP API took, streams included.", answerBuckets, labelRoute)

	ready         = declare(Gauge, EveryProcess, "ready", "1 where a check of /readyz passes.", labelCheck)
	redisRisks    = declare(Gauge, EveryProcess, "redis_risks", "Settings of Redis by which exports may be lost. Must be 0.")
	redisTrips    = declare(Counter, EveryProcess, "redis_round_trips_total", "Round trips to Redis.", labelTrip)
	redisCommands = declare(Counter, EveryProcess, "redis_commands_total", "Commands to Redis, those of pipelines included.")
	redisDuration = declareTimes(EveryProcess, "redis_round_trip_duration_seconds", "How long round trips to Redis took.", redisBuckets, labelTrip)
	redisErrors   = declare(Counter, EveryProcess, "redis_errors_total", "Round trips to Redis that failed, by what was wrong.", labelTrouble)
)

func (m *Metric) desc() *prometheus.Desc {
	return prometheus.NewDesc(m.Name, m.Help, m.labelNames(), nil)
}

// counterIn makes the counter, with all its series.
func (m *Metric) counterIn(r prometheus.Registerer) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, m.labelNames())
	m.each(func(values []string) { vec.WithLabelValues(values...) })
	r.MustRegister(vec)
	return vec
}

// histogramIn makes the histogram, with all its series.
func (m *Metric) histogramIn(r prometheus.Registerer) *prometheus.HistogramVec {
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.Name, Help: m.Help, Buckets: m.buckets}, m.labelNames())
	m.each(func(values []string) { vec.WithLabelValues(values...) })
	r.MustRegister(vec)
	return vec
}

// each calls f with each combination of the labels' values.
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
