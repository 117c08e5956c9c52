package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
)

// Lane is a customer's lane in a list.
type Lane struct {
	Customer string `json:"customer" doc:"iCIMS's customer ID."`
	Hold

	Express     int       `json:"waiting_express" doc:"Exports of small batches that wait for a worker."`
	Bulk        int       `json:"waiting_bulk" doc:"Exports of large batches that wait for a worker."`
	Active      int       `json:"active" doc:"Exports in progress."`
	Later       int       `json:"later" doc:"Scheduled exports."`
	Next        time.Time `json:"next,omitzero" doc:"When the first scheduled export is due."`
	Oldest      float64   `json:"oldest_seconds" doc:"Wait of the oldest export in seconds."`
	PausedInWeb []string  `json:"paused_in_web_ui,omitempty" doc:"Queues that are paused in asynq's web UI."`
	Calls       Calls     `json:"calls"`
	LastGood    time.Time `json:"last_good_call,omitzero" doc:"When a call last succeeded."`
	// Breakers are the circuit breakers that are not closed, by worker.
	Breakers   map[string]string `json:"breakers,omitempty" doc:"Circuit breakers that are not closed, by worker."`
	Connection string            `json:"connection,omitempty" doc:"The connection's problem, if known."`
}

// BreakerTexts explains each circuit breaker that is not closed: iCIMS does not respond, or this
// worker cannot reach it although others can.
func (l Lane) BreakerTexts() []string {
	text := "%s in worker %s: this worker cannot reach iCIMS, but others can. Check its network"
	if l.State == LaneFailing {
		text = "%s in worker %s: iCIMS does not respond, so calls are suspended"
	}
	texts := make([]string, 0, len(l.Breakers))
	for _, worker := range slices.Sorted(maps.Keys(l.Breakers)) {
		texts = append(texts, fmt.Sprintf(text, l.Breakers[worker], worker))
	}
	return texts
}

// Calls is a customer's quota status. It is zero before the first call.
type Calls struct {
	PerSecond   float64   `json:"per_second" doc:"Current calls per second."`
	MaxRate     float64   `json:"per_second_allowed" doc:"Allowed calls per second."`
	Lowered     bool      `json:"lowered,omitempty" doc:"The allowed calls per second are lowered for now, because iCIMS answered 429."`
	InFlight    int       `json:"in_flight" doc:"Calls in flight."`
	MaxInFlight int       `json:"in_flight_allowed" doc:"Allowed concurrent calls."`
	PerDay      int       `json:"per_day" doc:"Allowed calls per day (UTC); 0 before the first call."`
	Own         int       `json:"made_today" doc:"Calls made today."`
	Others      int       `json:"made_by_others_today" doc:"Calls by other users of the account, as reported by iCIMS."`
	Left        int       `json:"left_today" doc:"Calls left today."`
	Reserve     int       `json:"kept_for_small_batches" doc:"Calls of these that are reserved for small batches."`
	Resets      time.Time `json:"resets,omitzero" doc:"When the daily limit resets."`
}

// LaneList is a page of lanes.
type LaneList struct {
	Lanes   []Lane `json:"lanes"`
	Hidden  int    `json:"without_work" doc:"Omitted customers without work."`
	Workers int    `json:"workers" doc:"Active workers."`
	// Outage is what blocks the exports of all customers.
	Outage *Outage `json:"outage,omitempty" doc:"What blocks the exports of all customers: Redis refuses writes, or no worker runs."`
	// Loss is the last time in the past day that Redis lost writes.
	Loss *store.Loss `json:"redis_loss,omitempty" doc:"The last time in the past day that Redis lost writes, or may have."`
	// Next is the cursor of the next page; "" on the last page.
	Next string `json:"next,omitempty" doc:"The cursor of the next page; omitted on the last page."`
}

// LaneQuery selects lanes.
type LaneQuery struct {
	// All includes customers without work and without a blocked lane.
	All bool
	// Only restricts the list to these customers; nil for all.
	Only []string
	// After skips the customers up to and including this one; "" for none.
	After string
	// Limit is the page size; 0 for all.
	Limit int
}

// List lists lanes by customer.
func (d *Lanes) List(ctx context.Context, q LaneQuery) (LaneList, error) {
	r := LaneList{Lanes: []Lane{}}
	filed := d.filed()
	customers, err := d.laneCustomers(ctx, q, filed)
	if err != nil {
		return r, err
	}
	crew, err := d.Lanes.Workers(ctx)
	if err != nil {
		return r, err
	}
	r.Workers, r.Outage = len(crew), d.outage(ctx, crew)
	if r.Loss, err = d.Ledger.Workers.RecentLoss(ctx); err != nil {
		return r, err
	}
	for page := range slices.Chunk(customers, pageSize) {
		places, err := d.Lanes.CustomerStatuses(ctx, page...)
		if err != nil {
			return r, err
		}
		have, err := d.stored(ctx, page...)
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

// laneCustomers returns the customers that ever had exports, or have a connection.
func (d *base) laneCustomers(ctx context.Context, q LaneQuery, filed map[string]store.Connection) ([]string, error) {
	customers := slices.Clone(q.Only)
	if q.Only == nil {
		exporting, err := d.Ledger.Workers.Customers(ctx)
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

// connected returns the customers with a stored connection.
func (d *base) connected(ctx context.Context) ([]string, error) {
	customers, _, err := d.Ledger.Connections.Changes(ctx, 0)
	if err != nil {
		return nil, err
	}
	have, err := d.stored(ctx, customers...)
	return slices.DeleteFunc(customers, func(c string) bool { return !have[c] }), err
}

// after skips the customers of a sorted list up to and including last.
func after(customers []string, last string) []string {
	at, found := slices.BinarySearchFunc(customers, last, store.CompareCustomers)
	if found {
		at++
	}
	return customers[at:]
}

// connectionNote describes the problem of a customer's connection: no worker can use it, or neither
// the store nor this process's connections file has one.
func connectionNote(customer string, crew Workers, filed map[string]store.Connection, have map[string]bool) string {
	_, isFiled := filed[customer]
	switch {
	case crew.refuse(customer):
		return "not usable by any worker"
	case filed != nil && !isFiled && !have[customer]:
		return "not found here"
	}
	return ""
}

func (p CustomerStatus) lane(customer string) Lane {
	s, q, bulk, total := p.Standing, p.Queues, p.Queues.Bulk(), p.Queues.Total()
	l := Lane{
		Customer: customer, Hold: p.Hold,
		Express: q.Express.Pending, Bulk: bulk.Pending, Active: total.Active, Later: total.Later(),
		Next:   total.Next,
		Oldest: total.Oldest.Round(time.Millisecond).Seconds(),
		Calls: Calls{
			PerSecond: s.Rate, MaxRate: s.CallsPerSecond, Lowered: s.Lowered, InFlight: s.InFlight, MaxInFlight: s.MaxInFlight,
			PerDay: s.Budget, Own: s.Own, Others: s.Others, Left: s.Left, Reserve: s.Reserve, Resets: s.WindowEnd.UTC(),
		},
		LastGood: s.LastGood,
	}
	if s.Pause == nil && !s.PauseOver {
		l.PausedInWeb = pausedQueues(q)
	}
	if len(s.Breakers) > 0 {
		l.Breakers = s.Breakers
	}
	return l
}
