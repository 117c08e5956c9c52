package operate

import (
	"context"
	"slices"

	"github.com/seekout/icims-export/store"
)

// ConnectionQuery chooses connections of the store.
type ConnectionQuery struct {
	// Removed: also those that were removed.
	Removed bool
	// May tells whose may be listed; nil for all.
	May func(customer string) bool
	// After leaves out the customers up to this one; Limit bounds how many are listed.
	After string
	Limit int
}

// ConnectionPage lists connections, ordered by customer. next is the customer behind
// which the list goes on; "" at its end.
func (d *Desk) ConnectionPage(ctx context.Context, q ConnectionQuery) (page []store.StoredConnection, next string, err error) {
	customers, _, err := d.Ledger.ConnectionChanges(ctx, 0)
	if err != nil {
		return nil, "", err
	}
	if q.May != nil {
		customers = slices.DeleteFunc(customers, func(c string) bool { return !q.May(c) })
	}
	slices.SortFunc(customers, store.CompareCustomers)
	for part := range slices.Chunk(after(customers, q.After), pageSize) {
		found, err := d.Ledger.ConnectionsOf(ctx, part...)
		if err != nil {
			return nil, "", err
		}
		for _, customer := range part {
			c, ok := found[customer]
			if !ok || !q.Removed && !c.Below().Kept() {
				continue
			}
			if len(page) == q.Limit {
				return page, page[len(page)-1].Customer, nil
			}
			page = append(page, c)
		}
	}
	return page, "", nil
}
