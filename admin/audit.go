package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker"
	"github.com/seekout/icims-export/worker/intake"
)

// CheckResult is the result of a consistency check.
type CheckResult struct {
	Clean      bool                  `json:"clean"`
	Customers  []store.CustomerCheck `json:"customers"`
	Violations []store.Violation     `json:"violations"`
	// More counts the violations beyond the first 1,000 of a kind per customer.
	More int `json:"more_violations,omitempty"`
	// ReadBack is the comparison with iCIMS, if one was requested.
	ReadBack *readback.ReadBack `json:"read_back,omitempty"`
	// Worker reports whether a worker is active, which repairs late exports.
	Worker bool `json:"worker"`
	// Outage is what blocks the exports of all customers.
	Outage *Outage `json:"outage,omitempty"`
	// Loss is the last time in the past day that Redis lost writes. The records that Redis restored
	// still agree with each other, so the check finds no violation.
	Loss *store.Loss `json:"redis_loss,omitempty"`
	// Risks are Redis settings that may lose exports, or that could not be checked. They are not
	// violations.
	Risks   []string `json:"redis_risks,omitempty"`
	Seconds float64  `json:"seconds"`
}

// ViolationIntake means that a producer enqueued tasks that were refused and erased.
const ViolationIntake = "intake_refused"

// intakeWindow is how long the check reports refused tasks.
const intakeWindow = 24 * time.Hour

func tasksWere(n int) string {
	if n == 1 {
		return "1 task was"
	}
	return prose.Grouped(n) + " tasks were"
}

// Check checks that no export of the customers is lost and that all records agree, including
// asynq's queues.
func (d *Service) Check(ctx context.Context, customers []string, o store.CheckOptions) (CheckResult, error) {
	started := time.Now()
	r := CheckResult{Violations: []store.Violation{}, Customers: []store.CustomerCheck{}}
	var err error
	if r.Customers, err = d.Ledger.Checks.Run(ctx, customers, o); err != nil {
		return r, err
	}
	for i := range r.Customers {
		a := &r.Customers[i]
		queue, err := worker.AuditQueue(ctx, d.Redis, d.Ledger, a.Customer, o.Pause)
		if err != nil {
			return r, err
		}
		a.Join(queue)
		r.Violations = append(r.Violations, a.Violations...)
		r.More += a.Count() - len(a.Violations)
	}
	refused, err := intake.Refused(d.Redis, started.Add(-intakeWindow))
	if err != nil {
		return r, err
	}
	if refused > 0 {
		r.Violations = append(r.Violations, store.Violation{Kind: ViolationIntake, Text: fmt.Sprintf(
			"%s refused and erased in the last 24 hours: unknown type or not sealed. The archive of %s in asynq's web UI shows the producer, which must create tasks with tasks.NewTask.",
			tasksWere(refused), tasks.IntakeQueue)})
	}
	fleet, err := d.Ledger.Workers.Fleet(ctx)
	if err != nil {
		return r, err
	}
	r.Worker = fleet.Alive()
	if r.Outage, err = d.Lanes.Outage(ctx); err != nil {
		return r, err
	}
	if r.Loss, err = d.Ledger.Workers.RecentLoss(ctx); err != nil {
		return r, err
	}
	if r.Risks, err = store.Risks(ctx, d.Redis); err != nil {
		return r, err
	}
	r.Finish(started)
	return r, nil
}

// Finish sets Clean and the duration since started.
func (r *CheckResult) Finish(started time.Time) {
	r.Clean = len(r.Violations) == 0
	r.Seconds = time.Since(started).Round(10 * time.Millisecond).Seconds()
}
