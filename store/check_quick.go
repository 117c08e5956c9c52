package store

import (
	"context"
	"fmt"
)

// Quick compares a customer's counters with those of its batches. It reads a few numbers per
// batch in one transaction, so it can run continuously. Audit includes this check.
func (l *Checks) Quick(ctx context.Context, customer string) ([]Violation, error) {
	a := &auditor{base: l.base, customer: customer}
	if err := a.totals(ctx); err != nil {
		return nil, fmt.Errorf("audit customer %s: %w", customer, err)
	}
	return a.found.Violations, nil
}

// QuickViolations lists the kinds of violations Quick can find.
func QuickViolations() []string {
	return []string{ViolationLive, ViolationDueCount, ViolationDeadCount, ViolationIllegalMoves}
}
