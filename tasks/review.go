package tasks

import (
	"cmp"
	"context"

	"github.com/seekout/icims-export/store"
)

// Review judges a batch as Client.Enqueue does, but writes nothing: visit gets
// each candidate that would be accepted, as it would be kept, and the receipt
// tells of the others. Warnings, doubles and dummy addresses are those of a true
// sending, except that each sending draws its own dummies.
//
// Errors: *BatchError, an error of the input as Client.Enqueue has them, or one of
// visit, which ends the review. The receipt tells of what came before.
func Review(b Batch, dummyDomain string, visit func(Payload) error) (Receipt, error) {
	if err := b.validate(); err != nil {
		return Receipt{}, err
	}
	keys, err := store.NewKeyset()
	if err != nil {
		return Receipt{}, err
	}
	s := &sending{
		client: &Client{ledger: store.NewLedger(nil, keys)}, batch: b, dummyDomain: dummyDomain,
		seen: seenRows{}, warnings: map[Problem]int{},
	}
	inputErr, err := s.each(context.Background(), func(candidate Candidate) error {
		s.take(candidate)
		for _, accepted := range s.pending {
			payload, err := DecodePayload(accepted.Payload)
			if err != nil {
				return err
			}
			s.receipt.Accepted++
			if err := visit(payload); err != nil {
				return err
			}
		}
		s.receipt.Dummies += len(s.dummies)
		s.pending, s.dummies = s.pending[:0], nil
		return nil
	})
	return s.receipt, cmp.Or(err, inputErr)
}
