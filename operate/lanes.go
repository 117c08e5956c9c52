package operate

import (
	"context"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
)

// Lane is how one customer stands, as it is listed.
type Lane struct {
	Customer string `json:"customer"`
	Hold

	Express     int       `json:"waiting_express"`
	Bulk        int       `json:"waiting_bulk"`
	Active      int       `json:"active"`
	Later       int       `json:"later"`
	Next        time.Time `json:"next,omitzero"` // of those that come back later
	Oldest      float64   `json:"oldest_seconds"`
	PausedInWeb []string  `json:"paused_in_web_ui,omitempty"` // which queues
	Calls       Calls     `json:"calls"`
	LastGood    time.Time `json:"last_good_call,omitzero"`
	// Breakers are those that are not closed, by worker.
	Breakers   map[string]string `json:"breakers,omitempty"`
	Connection string            `json:"connection,omitempty"` // what is wrong with it, as far as it is known here
}

// Calls is what a customer has of calls. A customer that was never called has none,
// but will.
type Calls struct {
	PerSecond   float64   `json:"per_second"` // lately
	MaxRate     float64   `json:"per_second_allowed"`
	InFlight    int       `json:"in_flight"`
	MaxInFlight int       `json:"in_flight_allowed"`
	PerDay      int       `json:"per_day"`
	Own         int       `json:"made_today"`
	Others      int       `json:"made_by_others_today"`
	Left        int       `json:"left_today"`
	Reserve     int       `json:"kept_for_small_batches"`
	Resets      time.Time `json:"resets,omitzero"`
}

// LaneList are the customers that are worth looking at.
type LaneList struct {
	Lanes   []Lane `json:"lanes"`
	Hidden  int    `json:"without_work"`
	Workers int    `json:"workers"`
	// Next is the customer behind which the list goes on; "" at its end.
	Next string `json:"next,omitempty"`
}

// LaneQuery chooses customers.
type LaneQuery struct {
	// All: also customers without work and without a reason to wait.
	All bool
	// Only: none but these; nil for all.
	Only []string
	// After leaves out the customers up to this one; "" for none.
	After string
	// Limit is how many lanes are listed at most; 0 for all.
	Limit int
}

// Lanes lists how customers stand, ordered by customer.
func (d *Desk) Lanes(ctx context.Context, q LaneQuery) (LaneList, error) {
	r := LaneList{Lanes: []Lane{}}
	filed := d.filed()
	customers, err := d.laneCustomers(ctx, q, filed)
	if err != nil {
		return r, err
	}
	crew, err := d.Crew(ctx)
	if err != nil {
		return r, err
	}
	r.Workers = len(crew)
	for page := range slices.Chunk(customers, pageSize) {
		places, err := d.Places(ctx, page...)
		if err != nil {
			return r, err
		}
		have, err := d.Stored(ctx, page...)
		if err != nil {
			return r, err
		}
		for i, at := range places {
			if !q.All && at.Hold.State == LaneIdle {
				r.Hidden++
				continue
			}
			if len(r.Lanes) == q.Limit && q.Limit > 0 {
				r.Next = r.Lanes[len(r.Lanes)-1].Customer
				return r, nil
			}
			l := at.lane(page[i])
			l.Connection = connectionNote(page[i], crew, filed, have)
			r.Lanes = append(r.Lanes, l)
		}
	}
	return r, nil
}

// laneCustomers are the customers that ever had exports, or have a connection.
func (d *Desk) laneCustomers(ctx context.Context, q LaneQuery, filed map[string]store.Connection) ([]string, error) {
	customers := slices.Clone(q.Only)
	if q.Only == nil {
		exporting, err := d.Ledger.Customers(ctx)
		if err != nil {
			return nil, err
		}
		connected, err := d.connected(ctx)
		if err != nil {
			return nil, err
		}
		customers = slices.Concat(exporting, connected)
		for customer := range filed {
			customers = append(customers, customer)
		}
	}
	slices.SortFunc(customers, store.CompareCustomers)
	return after(slices.Compact(customers), q.After), nil
}

// connected are the customers that have a connection in the store.
func (d *Desk) connected(ctx context.Context) ([]string, error) {
	customers, _, err := d.Ledger.ConnectionChanges(ctx, 0)
	if err != nil {
		return nil, err
	}
	have, err := d.Stored(ctx, customers...)
	return slices.DeleteFunc(customers, func(c string) bool { return !have[c] }), err
}

// after leaves out the customers of an ordered list up to one.
func after(customers []string, last string) []string {
	at, found := slices.BinarySearchFunc(customers, last, store.CompareCustomers)
	if found {
		at++
	}
	return customers[at:]
}

// connectionNote says what is wrong with a customer's connection, as far as the
// workers say so, or the file here and the store tell.
func connectionNote(customer string, crew Crew, filed map[string]store.Connection, have map[string]bool) string {
	_, isFiled := filed[customer]
	switch {
	case crew.Refuse(customer):
		return "no worker has a usable one"
	case filed != nil && !isFiled && !have[customer]:
		return "none usable here"
	}
	return ""
}

func (p Place) lane(customer string) Lane {
	s, q := p.Standing, p.Queues
	l := Lane{
		Customer: customer, Hold: p.Hold,
		Express: q.Express.Pending, Bulk: q.Bulk.Pending, Active: q.Express.Active + q.Bulk.Active, Later: q.Express.Later() + q.Bulk.Later(),
		Next:   q.Bulk.Next,
		Oldest: max(q.Express.Oldest, q.Bulk.Oldest).Round(time.Millisecond).Seconds(),
		Calls: Calls{
			PerSecond: s.Rate, MaxRate: s.CallsPerSecond, InFlight: s.InFlight, MaxInFlight: s.MaxInFlight,
			PerDay: s.Budget, Own: s.Own, Others: s.Others, Left: s.Left, Reserve: s.Reserve, Resets: s.WindowEnd.UTC(),
		},
		LastGood: s.LastGood,
	}
	if e := q.Express.Next; !e.IsZero() && (l.Next.IsZero() || e.Before(l.Next)) {
		l.Next = e
	}
	if q.Express.Paused {
		l.PausedInWeb = append(l.PausedInWeb, "express")
	}
	if q.Bulk.Paused {
		l.PausedInWeb = append(l.PausedInWeb, "bulk")
	}
	if len(s.Breakers) > 0 {
		l.Breakers = s.Breakers
	}
	return l
}
