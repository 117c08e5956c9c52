package operate

import (
	"context"
	"maps"
	"slices"

	"github.com/seekout/icims-export/store"
)

// ConnectionQuery chooses connections of the store and of the file.
type ConnectionQuery struct {
	// Removed: also those that were removed.
	Removed bool
	// May tells whose may be listed; nil for all.
	May func(customer string) bool
	// After leaves out the customers up to this one; Limit bounds how many are listed.
	After string
	Limit int
}

// ConnectionPage lists connections, ordered by customer: those of the store, and of the
// file for customers that the store does not know. next is the customer behind which the
// list goes on; "" at its end.
func (d *Desk) ConnectionPage(ctx context.Context, q ConnectionQuery) (page []ConnectionView, next string, err error) {
	customers, _, err := d.Ledger.ConnectionChanges(ctx, 0)
	if err != nil {
		return nil, "", err
	}
	filed := d.filed()
	customers = slices.AppendSeq(customers, maps.Keys(filed))
	if q.May != nil {
		customers = slices.DeleteFunc(customers, func(c string) bool { return !q.May(c) })
	}
	slices.SortFunc(customers, store.CompareCustomers)
	for part := range slices.Chunk(after(slices.Compact(customers), q.After), pageSize) {
		found, err := d.Ledger.ConnectionsOf(ctx, part...)
		if err != nil {
			return nil, "", err
		}
		for _, customer := range part {
			v, listed := d.listed(q, customer, found, filed)
			if !listed {
				continue
			}
			if len(page) == q.Limit {
				return page, page[len(page)-1].Customer, nil
			}
			page = append(page, v)
		}
	}
	return page, "", nil
}

// listed is a customer's connection if it is to be listed.
func (d *Desk) listed(q ConnectionQuery, customer string, found map[string]store.StoredConnection, filed map[string]store.Connection) (ConnectionView, bool) {
	if c, ok := found[customer]; ok {
		return ViewConnection(c, d.Hosts), q.Removed || c.Below().Kept()
	}
	c, ok := filed[customer]
	if !ok {
		return ConnectionView{}, false
	}
	return d.viewFiled(c), true
}
