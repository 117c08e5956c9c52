package tasks

import (
	"cmp"
	"context"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// Review validates a batch as Client.Enqueue does, but writes nothing. It calls visit with each
// candidate that would be accepted, in its stored form; the receipt lists the others. Warnings,
// duplicates and dummy addresses are as in a submission, except that each submission draws its own
// dummies.
//
// Errors: *BatchError, errors of the input as for Client.Enqueue, or those of visit, which end the
// review. The receipt covers what came before.
func Review(b input.Batch, dummyDomain string, visit func(Payload) error) (Receipt, error) {
	if err := b.Validate(); err != nil {
		return Receipt{}, err
	}
	keys, err := store.NewKeyset()
	if err != nil {
		return Receipt{}, err
	}
	s := &submission{
		client: &Client{ledger: store.NewLedger(nil, keys)}, batch: b, dummyDomain: dummyDomain,
		seen: seenRows{}, warnings: map[input.Problem]int{},
	}
	inputErr, err := s.each(context.Background(), func(candidate input.Candidate) error {
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
