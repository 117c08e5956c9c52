package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// AwaitTurns reports for each export whether some turn will come to it: it waits
// in a batch that takes turns, at a row that they have not reached. Whether its
// own task still exists does not matter then.
func (l *Ledger) AwaitTurns(ctx context.Context, customer string, exports []Moving) ([]bool, error) {
	awaits := make([]bool, len(exports))
	waiting := func(m Moving) bool { return m.State == Queued && m.Generation == 0 }
	if !slices.ContainsFunc(exports, waiting) {
		return awaits, nil
	}
	places, err := l.redis.LRange(ctx, turnsKey(customer), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("read turns: %w", err)
	}
	cursors := make(map[string]*redis.StringCmd, len(places))
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, batch := range places {
			cursors[batch] = p.HGet(ctx, batchKey(BatchID(customer+"-"+batch)), "cu")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read turns: %w", err)
	}
	for i, m := range exports {
		cursor, takesTurns := cursors[m.batch]
		awaits[i] = waiting(m) && takesTurns && m.row >= number(cursor.Val())
	}
	return awaits, nil
}
