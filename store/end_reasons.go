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
// move are not counted, nor those that ended without a reason. The counts are whole unless
// some of the batch's exports ended before batches began to keep them: then there are none.
// It returns ErrNoBatch for an unknown batch.
func (l *Ledger) EndReasons(ctx context.Context, id BatchID) (found []EndReason, whole bool, err error) {
	fields, err := l.redis.HGetAll(ctx, batchKey(id)).Result()
	if err != nil {
		return nil, false, fmt.Errorf("read batch: %w", err)
	}
	if len(fields) == 0 {
		return nil, false, ErrNoBatch
	}
	counted := map[Counter]int{}
	for name, n := range fields {
		of, isReason := strings.CutPrefix(name, "r:")
		counter, reason, _ := strings.Cut(of, ":")
		if count := int(number(n)); isReason && count > 0 {
			found = append(found, EndReason{Counter(counter), Reason(reason), count})
			counted[Counter(counter)] += count
		}
	}
	for _, c := range reasoned {
		if counted[c] != int(number(fields["n:"+string(c)])) {
			return nil, false, nil
		}
	}
	slices.SortFunc(found, func(x, y EndReason) int {
		return cmp.Or(y.Count-x.Count, cmp.Compare(x.Counter, y.Counter), cmp.Compare(x.Reason, y.Reason))
	})
	return found, true, nil
}

// reasoned are the ways to end of which each has a reason, so that as many reasons were
// counted as exports ended so.
var reasoned = [...]Counter{CountSkipped, CountDead, CountCancelled}
