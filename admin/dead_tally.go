package admin

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
)

// DeadTally counts the dead letters of one reason, with the first and last time.
type DeadTally struct {
	DeadCount

	Oldest time.Time `json:"oldest" doc:"When the first of them failed."`
	Latest time.Time `json:"latest" doc:"When the last of them failed."`
}

// Tally counts the selected letters by reason, most frequent first. most limits
// how many it counts; 0 for all. more reports whether there are others.
func (d *DeadLetters) Tally(ctx context.Context, customer string, choice DeadChoice, most int) (tallies []DeadTally, more bool, err error) {
	by, n := map[store.Reason]*DeadTally{}, 0
	count := func(l store.DeadLetter) bool {
		if choice.Candidate != "" && l.Candidate != choice.Candidate {
			return true
		}
		if more = most > 0 && n == most; more {
			return false
		}
		n++
		t := by[l.Reason]
		if t == nil {
			info := l.Reason.Info()
			t = &DeadTally{DeadCount: DeadCount{l.Reason, 0, info.Title, info.Hint}, Oldest: l.At.UTC()}
			by[l.Reason] = t
		}
		t.Count, t.Latest = t.Count+1, l.At.UTC()
		return true
	}
	if choice.Text == "" { // timelines need not be read
		err = d.Ledger.DeadLetters.Each(ctx, customer, choice.DeadFilter, count)
	} else {
		err = d.deadLettersOf(ctx, customer, choice, func(_ string, page []DeadLetter) error {
			for _, l := range page {
				if !count(l.DeadLetter) {
					return errLimitReached
				}
			}
			return nil
		})
	}
	if err != nil && !errors.Is(err, errLimitReached) {
		return nil, false, err
	}
	for _, reason := range slices.Sorted(maps.Keys(by)) {
		tallies = append(tallies, *by[reason])
	}
	slices.SortStableFunc(tallies, func(x, y DeadTally) int { return cmp.Compare(y.Count, x.Count) })
	return tallies, more, nil
}

// DeadCustomer is a customer with dead letters.
type DeadCustomer struct {
	Customer string `json:"customer" doc:"iCIMS's customer id."`
	Count    int64  `json:"count" doc:"How many dead letters there are."`
}

// Customers lists the customers with dead letters, most letters first: all customers, or only
// the given ones.
func (d *DeadLetters) Customers(ctx context.Context, only []string) ([]DeadCustomer, error) {
	customers := slices.Clone(only)
	if only == nil {
		var err error
		if customers, err = d.Ledger.Workers.Customers(ctx); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(customers, store.CompareCustomers)
	found := []DeadCustomer{}
	for page := range slices.Chunk(slices.Compact(customers), pageSize) {
		counts, err := d.Ledger.DeadLetters.CountOf(ctx, page...)
		if err != nil {
			return nil, err
		}
		for i, n := range counts {
			if n > 0 {
				found = append(found, DeadCustomer{page[i], n})
			}
		}
	}
	slices.SortStableFunc(found, func(x, y DeadCustomer) int { return cmp.Compare(y.Count, x.Count) })
	return found, nil
}
