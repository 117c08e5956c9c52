package admin

import (
	"context"
	"time"

	"github.com/seekout/icims-export/store"
)

// Outage is what blocks the exports of all customers: Redis refuses writes, or no worker runs. The
// CLI, API and console show this text.
type Outage struct {
	Trouble store.RedisProblem `json:"trouble,omitempty" doc:"The problem of Redis; omitted if only workers are missing."`
	Problem string             `json:"problem" doc:"The problem, with Redis's message."`
	Remedy  string             `json:"remedy" doc:"The remedy."`
}

// String returns the problem and its remedy.
func (o Outage) String() string { return o.Problem + " " + o.Remedy }

var noWorkers = Outage{Problem: "No active workers.", Remedy: "Start one: icims-export worker."}

// Outage returns what blocks the exports of all customers, or nil. It writes to Redis to find out
// whether Redis accepts writes.
func (d *Lanes) Outage(ctx context.Context) (*Outage, error) {
	crew, err := d.Lanes.Workers(ctx)
	if err != nil {
		return nil, err
	}
	return d.outage(ctx, crew), nil
}

func (d *base) outage(ctx context.Context, crew Workers) *Outage {
	found, refuses := store.Diagnose(d.writable(ctx))
	switch {
	// The workers may log in as a user with more rights.
	case refuses && found.Trouble == store.TroubleForbidden && len(crew) > 0:
		return nil
	case refuses && found.Trouble == store.TroubleForbidden:
		return &Outage{found.Trouble, noWorkers.Problem + " " + found.Problem(), "If no worker runs, start it: icims-export worker. " + found.Remedy()}
	case refuses:
		return &Outage{found.Trouble, found.Problem(), found.Remedy()}
	case len(crew) == 0:
		missing := noWorkers
		return &missing
	}
	return nil
}

// writeLimit is how long the test write may take.
const writeLimit = 2 * time.Second

func (d *base) writable(ctx context.Context) error {
	if d.Writes != nil {
		return d.Writes.Look(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	return d.Ledger.Checks.Writable(ctx)
}
