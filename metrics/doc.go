// Package metrics counts what goes on, for Prometheus, and tells whether a process
// is alive and ready.
//
// All metrics are declared in catalog.go. The values of each label are a closed set
// from the code (labels.go) and are there from the start, so that no label can hold
// anything of a candidate and a rate can be taken of what has not happened yet. The
// one open label is the customer; it is there only where the setting
// metrics_customers says so, and only in gauges of lanes and budgets.
package metrics
