// Package deploy holds no code: its tests keep alert rules, dashboard and runbook in
// step with the metrics.
package deploy
