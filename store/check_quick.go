package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// QuickCheck compares a customer's counters with those of its batches. It reads a few numbers per
// batch in one transaction, so it can run continuously. Audit includes this check.
func (l *Checks) QuickCheck(ctx context.Context, customer string) ([]Violation, error) {
	a := &auditor{base: l.base, customer: customer}
	if err := a.totals(ctx); err != nil {
		return nil, fmt.Errorf("audit customer %s: %w", customer, err)
	}
	return a.found.Violations, nil
}

// QuickViolations lists the kinds of violations QuickAudit can find.
func QuickViolations() []string {
	return []string{ViolationLive, ViolationDueCount, ViolationDeadCount, ViolationIllegalMoves}
}

// DeadOf counts the dead letters of customers, in the order given.
func (l *DeadLetters) DeadOf(ctx context.Context, customers ...string) ([]int64, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	counts := make([]*redis.IntCmd, len(customers))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range customers {
			counts[i] = p.ZCard(ctx, deadKey(c))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	dead := make([]int64, len(customers))
	for i, n := range counts {
		dead[i] = n.Val()
	}
	return dead, nil
}
