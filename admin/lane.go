package admin

import (
	"context"
	"time"

	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// LaneDetail is a customer's lane with its batches and activity.
type LaneDetail struct {
	Lane

	Workers int           `json:"workers" doc:"Active workers."`
	Outage  *Outage       `json:"outage,omitempty" doc:"What blocks the exports of all customers: Redis refuses writes, or no worker runs."`
	Batches []OpenBatch   `json:"open_batches" doc:"Open batches, oldest first."`
	Events  []store.Event `json:"events" doc:"Recent events, newest first."`
	// Actions are recent actions of operators. They cannot be read without the sealing keys.
	Actions []store.Action `json:"actions,omitempty" doc:"Recent actions of operators, newest first."`
	// SealedActions counts the actions that this keyset cannot open.
	SealedActions int `json:"sealed_actions,omitempty"`
}

// Kept reports whether something blocks the exports that forecasts do not know.
func (l LaneDetail) Kept() bool {
	return l.Outage != nil || l.Connection != "" || l.Keeps() && l.Reason != store.ReasonPaused
}

// OpenBatch is an open batch with its forecast.
type OpenBatch struct {
	store.Batch

	Forecast forecast.Forecast `json:"forecast" doc:"The batch's forecast."`
}

// shownEvents limits the events and actions that are shown.
const shownEvents = 12

// Get returns a customer's lane in detail.
func (d *Lanes) Get(ctx context.Context, customer string) (LaneDetail, error) {
	places, err := d.Lanes.CustomerStatuses(ctx, customer)
	if err != nil {
		return LaneDetail{}, err
	}
	l := LaneDetail{Lane: places[0].lane(customer)}
	crew, err := d.Lanes.Workers(ctx)
	if err != nil {
		return l, err
	}
	have, err := d.stored(ctx, customer)
	if err != nil {
		return l, err
	}
	l.Workers, l.Outage = len(crew), d.outage(ctx, crew)
	l.Connection = connectionNote(customer, crew, d.filed(), have)
	if l.Batches, err = d.openBatches(ctx, customer, places[0].Standing); err != nil {
		return l, err
	}
	if l.Events, err = d.Ledger.AuditLog.Events(ctx, customer, shownEvents); err != nil {
		return l, err
	}
	if !d.Closed {
		if l.Actions, l.SealedActions, err = d.Ledger.AuditLog.Actions(ctx, customer, shownEvents); err != nil {
			return l, err
		}
	}
	return l, nil
}

// openBatches returns the customer's open batches, oldest first.
func (d *base) openBatches(ctx context.Context, customer string, s store.QuotaStatus) ([]OpenBatch, error) {
	open, err := d.Ledger.Batches.AllOpen(ctx, customer)
	if err != nil {
		return nil, err
	}
	costs, err := d.Ledger.Batches.Costs(ctx, customer)
	if err != nil {
		return nil, err
	}
	now, limits := time.Now(), d.limits(ctx, customer)
	shown := make([]OpenBatch, len(open))
	for i, b := range open {
		demand := forecast.Demand{Calls: costs.Remaining(b), Express: tasks.GoesExpress(b.Accepted)}
		demand.Others = callsBefore(demand.Calls, b, open, costs)
		shown[len(open)-1-i] = OpenBatch{b, forecast.Of(now, demand, s, limits)}
	}
	return shown, nil
}
