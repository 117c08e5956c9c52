package operate

import (
	"context"
	"fmt"
	"time"

	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// Prospect is a forecast and what blocks the exports.
type Prospect struct {
	Forecast forecast.Forecast `json:"forecast"`
	// Waits are sentences about what blocks the customer's exports; none if nothing does.
	Waits []string `json:"waits,omitempty"`
}

// Prospect forecasts the end of an open batch.
func (d *Desk) Prospect(ctx context.Context, b store.Batch, waits Waits) (Prospect, error) {
	f, err := d.Forecast(ctx, b)
	if err != nil {
		return Prospect{}, err
	}
	kept, err := d.Waits(ctx, b.ID.Customer(), waits)
	if err != nil {
		return Prospect{}, err
	}
	return Prospect{f, kept}, nil
}

// Forecast is when an open batch will be done.
func (d *Desk) Forecast(ctx context.Context, b store.Batch) (forecast.Forecast, error) {
	customer := b.ID.Customer()
	costs, err := d.Ledger.Costs(ctx, customer)
	if err != nil {
		return forecast.Forecast{}, err
	}
	demand := forecast.Demand{Calls: costs.Remaining(b), Express: tasks.GoesExpress(b.Accepted)}
	return d.forecast(ctx, b, demand, costs, d.limits(ctx, customer))
}

// forecast says when something will be done that needs calls of the customer beside its
// open batches. The batch may be one of these, or one that is not sent yet: that comes last.
func (d *Desk) forecast(ctx context.Context, b store.Batch, demand forecast.Demand, costs store.Costs, limits store.Limits) (forecast.Forecast, error) {
	customer := b.ID.Customer()
	open, err := d.Ledger.OpenBatches(ctx, customer)
	if err != nil {
		return forecast.Forecast{}, err
	}
	demand.Others = othersBefore(demand.Calls, b, open, costs)
	standings, err := d.Ledger.Standings(ctx, customer)
	if err != nil {
		return forecast.Forecast{}, err
	}
	// By this process's clock, as the times of the standing.
	return forecast.Of(time.Now(), demand, standings[0], limits), nil
}

// othersBefore are the calls that other open batches make before a batch ends. Of its own
// queue those come first that were sent before; the other queues have their shares.
func othersBefore(calls float64, b store.Batch, open []store.Batch, costs store.Costs) float64 {
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
func (d *Desk) Waits(ctx context.Context, customer string, waits Waits) ([]string, error) {
	places, err := d.Places(ctx, customer)
	if err != nil {
		return nil, err
	}
	return waits.of(ctx, d, customer, places[0]), nil
}

// Waits describes what blocks a customer's exports: a pause, a closed lane, a missing
// connection, no worker.
type Waits struct {
	Clock prose.Clock // of the reader
	// NoConnection is a sentence for a customer whose connection is not in the store and
	// of whom no worker has said anything; "" for none. nil says nothing.
	NoConnection func(customer string) string
}

func (w Waits) of(ctx context.Context, d *Desk, customer string, at Place) []string {
	var sentences []string
	crew, err := d.Crew(ctx)
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
func (d *Desk) Demand(ctx context.Context, customer string, kind store.Kind, e Estimate, limits store.Limits, waits Waits) (Prospect, error) {
	costs, err := d.Ledger.Costs(ctx, customer)
	if err != nil {
		return Prospect{}, err
	}
	unsent := store.Batch{ID: store.BatchID(customer + "-"), Accepted: e.Candidates}
	f, err := d.forecast(ctx, unsent, e.Demand(costs, kind), costs, limits)
	if err != nil {
		return Prospect{}, err
	}
	kept, err := d.Waits(ctx, customer, waits)
	if err != nil {
		return Prospect{}, err
	}
	return Prospect{f, kept}, nil
}

// Estimate is the range of calls that exports need.
type Estimate struct {
	Candidates int `json:"candidates" doc:"Candidates to export."`
	Skipped    int `json:"skipped" doc:"Candidates to skip, since they were exported before."`
	Least      int `json:"calls_least" doc:"Calls if all candidates are new in iCIMS or unchanged there."`
	Most       int `json:"calls_most" doc:"Calls if all candidates are in iCIMS and every field differs."`
}

// Add counts a candidate to export to a job, or as a prospect for 0.
func (e *Estimate) Add(c tasks.Candidate, job int64) {
	e.Candidates++
	// New: the person. There already: read it, at most change it and add each
	// phone. For a job, new: the workflow; there already: look for it, and at most
	// make it.
	e.Least++
	e.Most += 2 + len(c.Phones)
	if job != 0 {
		e.Least++
		e.Most += 2
	}
}

// LookUp counts the calls that look the candidates up, so many at a time. A second search
// is made as long as it is not known whether the tenant heeds upper and lower case.
func (e *Estimate) LookUp(batch int) {
	lookups := (e.Candidates + batch - 1) / batch
	e.Least += lookups
	e.Most += 2 * lookups
}

// Demand is the expected calls, from the average of past exports of the kind: a number
// between Least and Most.
func (e Estimate) Demand(costs store.Costs, kind store.Kind) forecast.Demand {
	calls := float64(e.Candidates) * costs.Each(kind)
	return forecast.Demand{Calls: min(max(calls, float64(e.Least)), float64(e.Most)), Express: tasks.GoesExpress(e.Candidates)}
}
