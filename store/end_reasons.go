package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// EndReason is how many exports of a batch ended in a way for a reason.
type EndReason struct {
	Counter Counter
	Reason  Reason
	Count   int
}

// EndReasons tells for which reasons exports of a batch ended, the most frequent first.
// The batch keeps count of them, so that none of its exports is looked at. Those that
// move are not counted, nor those that ended without a reason. It returns ErrNoBatch for
// an unknown batch.
func (l *Ledger) EndReasons(ctx context.Context, id BatchID) ([]EndReason, error) {
	fields, err := l.redis.HGetAll(ctx, batchKey(id)).Result()
	if err != nil {
		return nil, fmt.Errorf("read batch: %w", err)
	}
	if len(fields) == 0 {
		return nil, ErrNoBatch
	}
	var found []EndReason
	for name, n := range fields {
		of, counted := strings.CutPrefix(name, "r:")
		counter, reason, _ := strings.Cut(of, ":")
		if count := int(number(n)); counted && count > 0 {
			found = append(found, EndReason{Counter(counter), Reason(reason), count})
		}
	}
	slices.SortFunc(found, func(x, y EndReason) int {
		return cmp.Or(y.Count-x.Count, cmp.Compare(x.Counter, y.Counter), cmp.Compare(x.Reason, y.Reason))
	})
	return found, nil
}
