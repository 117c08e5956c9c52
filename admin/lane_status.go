package admin

import (
	"context"
	"slices"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// CustomerStatus is a customer's quota status, queues and lane state.
type CustomerStatus struct {
	Standing store.QuotaStatus
	Queues   tasks.QueueStates
	Hold     Hold
}

// CustomerStatuses reads the status of customers, in their order. A customer whose keys are broken is
// reported as unreadable; the others are read.
func (d *Lanes) CustomerStatuses(ctx context.Context, customers ...string) ([]CustomerStatus, error) {
	places, err := d.places(ctx, customers...)
	if err == nil || !store.Broken(err) {
		return places, err
	}
	places = make([]CustomerStatus, len(customers))
	for i, customer := range customers {
		one, err := d.places(ctx, customer)
		switch {
		case err == nil:
			places[i] = one[0]
		case store.Broken(err):
			places[i].Hold.State = LaneUnreadable
		default:
			return nil, err
		}
	}
	return places, nil
}

func (d *base) places(ctx context.Context, customers ...string) ([]CustomerStatus, error) {
	standings, err := d.Ledger.QuotaStatuses(ctx, customers...)
	if err != nil {
		return nil, err
	}
	queues, err := tasks.ReadQueueStates(ctx, d.Redis, customers...)
	if err != nil {
		return nil, err
	}
	places := make([]CustomerStatus, len(customers))
	for i := range places {
		places[i] = CustomerStatus{standings[i], queues[i], holdOf(standings[i], queues[i])}
	}
	return places, nil
}

// Waiting returns how many exports wait for a worker or are scheduled.
func (p CustomerStatus) Waiting() int {
	q := p.Queues.Total()
	return q.Pending + q.Later()
}

// Workers are the active workers.
type Workers []store.Peer

// Workers reads the active workers.
func (d *Lanes) Workers(ctx context.Context) (Workers, error) {
	fleet, err := d.Ledger.Workers.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	var c Workers
	for name, peer := range fleet.Workers {
		if fleet.Lives(name) {
			c = append(c, peer)
		}
	}
	return c, nil
}

// refuse reports whether no worker has a usable connection for the customer. A worker reports that
// once it has seen work of the customer.
func (c Workers) refuse(customer string) bool {
	for _, peer := range c {
		if !slices.Contains(peer.Refuses, customer) {
			return false
		}
	}
	return len(c) > 0
}

// stored reports which of the customers have a stored connection.
func (d *base) stored(ctx context.Context, customers ...string) (map[string]bool, error) {
	found, err := d.Ledger.Connections.GetAll(ctx, customers...)
	if err != nil {
		return nil, err
	}
	have := make(map[string]bool, len(found))
	for customer, c := range found {
		have[customer] = c.State.Kept()
	}
	return have, nil
}
