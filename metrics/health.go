package metrics

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
)

// The readiness checks.
const (
	checkRedis  = "redis"  // responds
	checkLedger = "ledger" // accepts writes
	checkLanes  = "lanes"  // the worker serves lanes
)

const (
	// risksLimit is the timeout for reading Redis's settings.
	risksLimit = 2 * time.Second
	// risksFor is how long Redis's settings are cached.
	risksFor = time.Minute
)

// Readiness says whether a process can work, and if not, why.
type Readiness struct {
	Status string  `json:"status"` // "ready" or "not_ready"
	Checks []Check `json:"checks"`
	// AtRisk are settings of Redis that may lose exports. They do not affect readiness.
	AtRisk []string `json:"at_risk,omitempty"`
}

// Ready reports whether all checks passed.
func (r Readiness) Ready() bool { return r.Status == statusReady }

const (
	statusReady    = "ready"
	statusNotReady = "not_ready"
)

// Check is one readiness check.
type Check struct {
	Name    string `json:"check"`
	OK      bool   `json:"ok"`
	Problem string `json:"problem,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
}

// Health checks whether a process works.
type Health struct {
	Redis redis.UniversalClient
	// Writes checks whether Redis accepts writes.
	Writes *store.WriteProbe
	// Lanes returns why no lanes are served, Alive why the process must be restarted. Both may be
	// nil.
	Lanes, Alive func() error

	mu       sync.Mutex
	risks    []string
	risksAt  time.Time
	risksSet bool
}

// Ready checks whether the process can work. The state of Redis may be one second old.
func (h *Health) Ready(ctx context.Context) Readiness {
	answers, writes := Check{Name: checkRedis, OK: true}, Check{Name: checkLedger, OK: true}
	if err := h.Writes.Look(ctx); err != nil {
		found, known := store.Diagnose(err)
		if !known {
			found.Trouble = store.TroubleUnreachable
		}
		writes = Check{checkLedger, false, found.Problem(), found.Remedy()}
		if !found.Trouble.Answers() {
			answers = writes
			answers.Name = checkRedis
		}
	}
	r := Readiness{Status: statusReady, Checks: []Check{answers, writes}}
	if h.Lanes != nil {
		lanes := Check{Name: checkLanes, OK: true}
		if err := h.Lanes(); err != nil {
			lanes = Check{checkLanes, false, err.Error(), "If this persists, check the worker's log and restart it."}
		}
		r.Checks = append(r.Checks, lanes)
	}
	if slices.ContainsFunc(r.Checks, func(c Check) bool { return !c.OK }) {
		r.Status = statusNotReady
	}
	if answers.OK {
		r.AtRisk, _ = h.riskSettings(context.WithoutCancel(ctx))
	}
	return r
}

// riskSettings returns the settings of Redis that may lose exports, cached for a minute; false if
// they are unknown.
func (h *Health) riskSettings(ctx context.Context) ([]string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.risksAt) >= risksFor {
		ctx, cancel := context.WithTimeout(ctx, risksLimit)
		defer cancel()
		found, err := store.Risks(ctx, h.Redis)
		if h.risksSet = err == nil; err == nil {
			h.risks, h.risksAt = found, time.Now()
		}
	}
	return h.risks, h.risksSet
}

var healthMetrics = []*Metric{ready, redisRisks}

// Describe implements prometheus.Collector.
func (h *Health) Describe(out chan<- *prometheus.Desc) { describe(out, healthMetrics) }

// Collect exports the checks.
func (h *Health) Collect(out chan<- prometheus.Metric) {
	show := showing(out)
	for _, c := range h.Ready(context.Background()).Checks {
		show(ready, flag(c.OK), c.Name)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.risksSet {
		show(redisRisks, float64(len(h.risks)))
	}
}
