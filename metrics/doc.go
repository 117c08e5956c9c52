// Package metrics exports metrics for Prometheus and reports whether a process is alive and ready.
//
// All metrics are declared in catalog.go. The values of each label are a closed set (labels.go) and
// exist from the start. So no label can contain candidate data, and rates work for events that have
// not happened yet. The only open label is the customer. It exists only with the setting
// metrics_customers, and only in gauges of lanes and budgets.
package metrics
