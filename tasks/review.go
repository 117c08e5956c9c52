package tasks

import (
	"errors"
	"fmt"

	"github.com/seekout/icims-export/store"
)

// Review judges a batch as Client.Enqueue does, but writes nothing: visit gets
// each candidate that would be accepted, as it would be kept, and the receipt
// tells of the others. Warnings, doubles and dummy addresses are those of a true
// sending, except that each sending draws its own dummies.
//
// Errors: *BatchError, an error of the input, or one of visit, which ends the
// review.
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
		rows: map[string]int{}, warnings: map[Problem]int{},
	}
	for candidate, err := range b.Candidates {
		s.row++
		var refused *RowError
		switch {
		case errors.As(err, &refused):
			s.refuse(refused.Line, refused.Candidate, refused.Problems)
			continue
		case err != nil:
			return s.receipt, fmt.Errorf("read candidates: %w", err)
		}
		s.take(candidate)
		for _, accepted := range s.pending {
			payload, err := DecodePayload(accepted.Payload)
			if err != nil {
				return s.receipt, err
			}
			s.receipt.Accepted++
			if err := visit(payload); err != nil {
				return s.receipt, err
			}
		}
		s.receipt.Dummies += s.dummies
		s.pending, s.dummies = s.pending[:0], 0
	}
	return s.receipt, nil
}
