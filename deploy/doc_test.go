// Package deploy contains no code. Its tests keep alert rules, dashboard and runbook consistent
// with the metrics.
package deploy
