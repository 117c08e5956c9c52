package admin

import (
	"context"
	"maps"
	"slices"

	"github.com/seekout/icims-export/store"
)

// ConnectionQuery selects connections of the store and the connections file.
type ConnectionQuery struct {
	// Removed includes removed connections.
	Removed bool
	// May reports whether a customer may be listed; nil for all.
	May func(customer string) bool
	// After skips the customers up to and including this one. Limit is the page size.
	After string
	Limit int
}

// Page lists connections by customer: those of the store, and those of the file for
// customers without a stored one. next is the cursor of the next page; "" on the last page.
func (d *Connections) Page(ctx context.Context, q ConnectionQuery) (page []ConnectionView, next string, err error) {
	customers, _, err := d.Ledger.Connections.Changes(ctx, 0)
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
		found, err := d.Ledger.Connections.GetAll(ctx, part...)
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

// listed returns a customer's connection if the query selects it.
func (d *base) listed(q ConnectionQuery, customer string, found map[string]store.StoredConnection, filed map[string]store.Connection) (ConnectionView, bool) {
	if c, ok := found[customer]; ok {
		return ViewConnection(c, d.Hosts), q.Removed || c.Below().Kept()
	}
	c, ok := filed[customer]
	if !ok {
		return ConnectionView{}, false
	}
	return d.viewFiled(c), true
}
