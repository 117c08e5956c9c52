package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// ETA is a forecast and what blocks the exports.
type ETA struct {
	Forecast forecast.Forecast `json:"forecast"`
	// Waits are sentences about what blocks the customer's exports; none if nothing does.
	Waits []string `json:"waits,omitempty"`
}

// ETA forecasts the end of an open batch.
func (d *Forecasts) ETA(ctx context.Context, b store.Batch, waits Waits) (ETA, error) {
	f, err := d.Forecasts.Forecast(ctx, b)
	if err != nil {
		return ETA{}, err
	}
	kept, err := d.Forecasts.Waits(ctx, b.ID.Customer(), waits)
	if err != nil {
		return ETA{}, err
	}
	return ETA{f, kept}, nil
}

// Forecast returns the forecast of an open batch.
func (d *Forecasts) Forecast(ctx context.Context, b store.Batch) (forecast.Forecast, error) {
	customer := b.ID.Customer()
	costs, err := d.Ledger.Batches.Costs(ctx, customer)
	if err != nil {
		return forecast.Forecast{}, err
	}
	demand := forecast.Demand{Calls: costs.Remaining(b), Express: tasks.GoesExpress(b.Accepted)}
	return d.forecast(ctx, b, demand, costs, d.limits(ctx, customer))
}

// forecast computes the forecast of demand in addition to the customer's open batches. The batch is
// one of these, or one that is not submitted yet, which comes last.
func (d *base) forecast(ctx context.Context, b store.Batch, demand forecast.Demand, costs store.Costs, limits store.Limits) (forecast.Forecast, error) {
	customer := b.ID.Customer()
	open, err := d.Ledger.Batches.AllOpen(ctx, customer)
	if err != nil {
		return forecast.Forecast{}, err
	}
	demand.Others = callsBefore(demand.Calls, b, open, costs)
	standings, err := d.Ledger.QuotaStatuses(ctx, customer)
	if err != nil {
		return forecast.Forecast{}, err
	}
	// The times of the standing are by this process's clock too.
	return forecast.Of(time.Now(), demand, standings[0], limits), nil
}

// callsBefore estimates the calls that other open batches make before a batch ends. In its own
// queue, earlier batches come first. The other queues get their shares.
func callsBefore(calls float64, b store.Batch, open []store.Batch, costs store.Costs) float64 {
	size, before := tasks.SizeOf(b.Accepted), 0.0
	for _, other := range open {
		otherSize := tasks.SizeOf(other.Accepted)
		switch {
		case other.ID == b.ID:
		case otherSize == size && (b.Opened.IsZero() || other.Opened.Before(b.Opened)):
			before += costs.Remaining(other)
		case otherSize != size:
			before += min(costs.Remaining(other), calls*float64(tasks.Weights[otherSize])/float64(tasks.Weights[size]))
		}
	}
	return before
}

// Waits returns sentences about what blocks the customer's exports; none if nothing does.
func (d *Forecasts) Waits(ctx context.Context, customer string, waits Waits) ([]string, error) {
	places, err := d.Lanes.CustomerStatuses(ctx, customer)
	if err != nil {
		return nil, err
	}
	return waits.of(ctx, d, customer, places[0]), nil
}

// Waits describes what blocks a customer's exports: a pause, a closed lane, a missing
// connection, no worker.
type Waits struct {
	Clock prose.Clock // of the reader
	// NoConnection returns a warning for a customer without a stored connection that no worker has
	// reported on; "" for none. nil returns no warnings.
	NoConnection func(customer string) string
}

func (w Waits) of(ctx context.Context, d *Forecasts, customer string, at CustomerStatus) []string {
	var sentences []string
	crew, err := d.Lanes.Workers(ctx)
	known := err == nil
	var outage *Outage
	if known {
		outage = d.outage(ctx, crew)
	}
	switch {
	case outage != nil:
		sentences = append(sentences, outage.String())
	case known && crew.refuse(customer):
		sentences = append(sentences, fmt.Sprintf("No worker has a usable connection for customer %s. Add or correct it in the workers' connections file, then send them SIGHUP.", customer))
	case w.NoConnection != nil:
		have, err := d.stored(ctx, customer)
		if text := w.NoConnection(customer); text != "" && err == nil && !have[customer] {
			sentences = append(sentences, text)
		}
	}
	if at.Hold.Keeps() {
		sentences = append(sentences, at.Hold.Warning(w.Clock, customer))
	}
	return sentences
}

// Demand forecasts the end of exports of one kind that are not submitted yet.
func (d *Forecasts) Demand(ctx context.Context, customer string, kind store.Kind, e Estimate, limits store.Limits, waits Waits) (ETA, error) {
	costs, err := d.Ledger.Batches.Costs(ctx, customer)
	if err != nil {
		return ETA{}, err
	}
	unsent := store.Batch{ID: store.BatchID(customer + "-"), Accepted: e.Candidates}
	f, err := d.forecast(ctx, unsent, e.Demand(costs, kind), costs, limits)
	if err != nil {
		return ETA{}, err
	}
	kept, err := d.Forecasts.Waits(ctx, customer, waits)
	if err != nil {
		return ETA{}, err
	}
	return ETA{f, kept}, nil
}

// Estimate is the range of calls that exports need.
type Estimate struct {
	Candidates int `json:"candidates" doc:"Candidates to export."`
	Skipped    int `json:"skipped" doc:"Candidates to skip, since they were exported before."`
	Least      int `json:"calls_least" doc:"Calls if all candidates are new in iCIMS or unchanged there."`
	Most       int `json:"calls_most" doc:"Calls if all candidates are in iCIMS and every field differs."`
}

// Add counts a candidate that is exported to a job; job is 0 for a prospect.
func (e *Estimate) Add(c input.Candidate, job int64) {
	e.Candidates++
	// A new person takes one call; an existing one is read, and possibly changed and given each
	// phone. For a job, a new workflow takes one call; otherwise it is searched for and possibly
	// created.
	e.Least++
	e.Most += 2 + len(c.Phones)
	if job != 0 {
		e.Least++
		e.Most += 2
	}
}

// LookUp counts the lookup calls, each for up to batch candidates. It counts a second search per
// lookup, since it may be unknown whether the tenant's search is case-sensitive.
func (e *Estimate) LookUp(batch int) {
	lookups := (e.Candidates + batch - 1) / batch
	e.Least += lookups
	e.Most += 2 * lookups
}

// Demand returns the expected calls, from the average of past exports of the kind, limited to the
// range from Least to Most.
func (e Estimate) Demand(costs store.Costs, kind store.Kind) forecast.Demand {
	calls := float64(e.Candidates) * costs.Each(kind)
	return forecast.Demand{Calls: min(max(calls, float64(e.Least)), float64(e.Most)), Express: tasks.GoesExpress(e.Candidates)}
}
