package admin

import (
	"context"

	"github.com/seekout/icims-export/store"
)

// DeadPage is a page of a customer's dead letters, oldest first.
type DeadPage struct {
	Letters []DeadLetter
	// Next is the cursor of the next page; nil on the last page. A page may be short or empty and
	// still have a next one, since a page reads at most deadLook letters.
	Next *store.DeadLetter
}

// deadLook is how many letters a page reads at most.
const deadLook = 5000

// Page lists up to limit selected dead letters of a customer, after choice.After.
func (d *DeadLetters) Page(ctx context.Context, customer string, choice DeadChoice, limit int) (DeadPage, error) {
	p := DeadPage{Letters: []DeadLetter{}}
	for looked := 0; ; {
		part, err := d.deadPart(ctx, customer, choice.DeadFilter)
		if err != nil || len(part) == 0 {
			return p, err
		}
		found, err := d.letters(ctx, customer, choice.Text, part)
		if err != nil {
			return p, err
		}
		for _, l := range found {
			if choice.Candidate != "" && l.Candidate != choice.Candidate {
				continue
			}
			if len(p.Letters) == limit {
				p.Next = &p.Letters[limit-1].DeadLetter
				return p, nil
			}
			p.Letters = append(p.Letters, l)
		}
		if len(part) < deadPage {
			return p, nil
		}
		choice.After = part[len(part)-1]
		if looked += len(part); looked >= deadLook {
			p.Next = &choice.After
			return p, nil
		}
	}
}

// deadPart reads the next letters that match the filter.
func (d *base) deadPart(ctx context.Context, customer string, f store.DeadFilter) ([]store.DeadLetter, error) {
	part := make([]store.DeadLetter, 0, deadPage)
	err := d.Ledger.DeadLetters.Each(ctx, customer, f, func(l store.DeadLetter) bool {
		part = append(part, l)
		return len(part) < deadPage
	})
	return part, err
}
