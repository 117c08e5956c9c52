package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// EndReason is the number of exports of a batch that ended with a counter and a reason.
type EndReason struct {
	Counter Counter
	Reason  Reason
	Count   int
}

// EndReasons returns the reasons why exports of a batch ended, most frequent first. The batch keeps
// these counts, so no export is read. Exports in progress and exports without a reason are not
// counted. whole is false, and there are no counts, if exports of the batch ended before batches
// kept them. It returns ErrNoBatch for an unknown batch.
func (l *Batches) EndReasons(ctx context.Context, id BatchID) (found []EndReason, whole bool, err error) {
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
	for _, c := range countersWithReason {
		if counted[c] != int(number(fields["n:"+string(c)])) {
			return nil, false, nil
		}
	}
	slices.SortFunc(found, func(x, y EndReason) int {
		return cmp.Or(y.Count-x.Count, cmp.Compare(x.Counter, y.Counter), cmp.Compare(x.Reason, y.Reason))
	})
	return found, true, nil
}

// countersWithReason lists the counters whose exports always have a reason, so that their sums must
// match the counted reasons.
var countersWithReason = [...]Counter{CountSkipped, CountDead, CountCancelled}
