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

// The checks of readiness.
const (
	checkRedis  = "redis"  // answers
	checkLedger = "ledger" // takes writes
	checkLanes  = "lanes"  // the worker serves
)

const (
	// risksLimit is how long Redis has to tell its settings.
	risksLimit = 2 * time.Second
	// risksFor is for how long it is believed what the settings of Redis were.
	risksFor = time.Minute
)

// Readiness is whether a process can work, and what keeps it from that.
type Readiness struct {
	Status string  `json:"status"` // "ready" or "not_ready"
	Checks []Check `json:"checks"`
	// AtRisk are settings of Redis by which exports may be lost. They keep nobody from
	// working.
	AtRisk []string `json:"at_risk,omitempty"`
}

// Ready reports whether all checks passed.
func (r Readiness) Ready() bool { return r.Status == statusReady }

const (
	statusReady    = "ready"
	statusNotReady = "not_ready"
)

// Check is one thing that a process needs.
type Check struct {
	Name    string `json:"check"`
	OK      bool   `json:"ok"`
	Problem string `json:"problem,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
}

// Health checks whether a process works.
type Health struct {
	Redis redis.UniversalClient
	// Writes looks whether Redis takes writes.
	Writes *store.WriteProbe
	// Lanes says why no lanes are served, Alive why the process is to be restarted;
	// nil where there is nothing of the kind.
	Lanes, Alive func() error

	mu       sync.Mutex
	risks    []string
	risksAt  time.Time
	risksSet bool
}

// Ready looks whether the process can work. What it says of Redis may be a second old.
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

// riskSettings are the settings of Redis by which exports may be lost, as of the last
// minute; false where they are not known.
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

// Describe names what it shows.
func (h *Health) Describe(out chan<- *prometheus.Desc) { describe(out, healthMetrics) }

// Collect shows the checks.
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
