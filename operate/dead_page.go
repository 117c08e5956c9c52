package operate

import (
	"context"

	"github.com/seekout/icims-export/store"
)

// DeadPage is a part of a customer's dead letters, the oldest first.
type DeadPage struct {
	Letters []Letter
	// Next is the letter behind which the next page begins; nil at the end. A page may
	// be short, or even empty, and still have a next one: only so much is looked
	// through at once.
	Next *store.DeadLetter
}

// deadLook is how many letters a page looks through at most.
const deadLook = 5000

// DeadPageOf lists at most limit of the dead letters that a customer has, behind
// choice.After.
func (d *Desk) DeadPageOf(ctx context.Context, customer string, choice DeadChoice, limit int) (DeadPage, error) {
	p := DeadPage{Letters: []Letter{}}
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

// deadPart reads the next letters of the filter.
func (d *Desk) deadPart(ctx context.Context, customer string, f store.DeadFilter) ([]store.DeadLetter, error) {
	part := make([]store.DeadLetter, 0, deadPage)
	err := d.Ledger.DeadLetters(ctx, customer, f, func(l store.DeadLetter) bool {
		part = append(part, l)
		return len(part) < deadPage
	})
	return part, err
}
