package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// ExportOf is one export of a candidate, found by the candidate's ID.
type ExportOf struct {
	Batch Batch
	Outcome
}

// ExportsOf finds a candidate's exports in all batches that are kept, oldest first. It does not
// return erased exports.
func (l *Candidates) ExportsOf(ctx context.Context, customer, candidate string) ([]ExportOf, error) {
	exports, err := l.exportsOf(ctx, customer, candidate)
	if err != nil {
		return nil, err
	}
	found := make([]ExportOf, 0, len(exports))
	for _, e := range exports {
		if e.Reason == ReasonErased {
			continue
		}
		b, err := l.Batches.Get(ctx, e.batch)
		if errors.Is(err, ErrNoBatch) {
			continue
		}
		if err != nil {
			return nil, err
		}
		e.Candidate = candidate
		found = append(found, ExportOf{b, e.Outcome})
	}
	return found, nil
}

// batchedOutcome is an outcome with its batch.
type batchedOutcome struct {
	Outcome

	batch BatchID
}

// exportsOf finds a candidate's exports by their IDs. An export ID is derived from batch and
// candidate, so no index is needed.
func (l *base) exportsOf(ctx context.Context, customer, candidate string) ([]batchedOutcome, error) {
	var found []batchedOutcome
	err := l.eachBatchPage(ctx, customer, func(locals []string) error {
		batches := make([]BatchID, len(locals))
		ids := make([]string, len(locals))
		for i, local := range locals {
			batches[i] = BatchID(customer + "-" + local)
			ids[i] = l.keys.ExportID(string(batches[i]), candidate)
		}
		outcomes, err := l.outcomesOf(ctx, batches, ids)
		if err != nil {
			return err
		}
		for i, o := range outcomes {
			if o.State != "" {
				found = append(found, batchedOutcome{o, batches[i]})
			}
		}
		return nil
	})
	return found, err
}

// eachBatchPage calls visit with a customer's batches in the order they were opened, then with
// those of verifications, one page at a time.
func (l *base) eachBatchPage(ctx context.Context, customer string, visit func(locals []string) error) error {
	for _, key := range []string{batchesKey(customer), testsKey(customer)} {
		if err := l.eachListed(ctx, key, batchPage, visit); err != nil {
			return fmt.Errorf("list batches: %w", err)
		}
	}
	return nil
}

// eachListed calls visit with the members of a sorted set in order, one page at a time.
func (l *base) eachListed(ctx context.Context, key string, size int, visit func(members []string) error) error {
	return l.eachScored(ctx, key, "+inf", size, func(page []redis.Z) error {
		members := make([]string, len(page))
		for i, z := range page {
			members[i], _ = z.Member.(string)
		}
		return visit(members)
	})
}

// eachScored calls visit with the members of a sorted set up to a score, in order, one page at a
// time. A member that keeps its score is visited exactly once, whatever else changes.
func (l *base) eachScored(ctx context.Context, key, upTo string, size int, visit func([]redis.Z) error) error {
	from, seen := "-inf", map[any]bool{} // members with the last score of the previous page
	for {
		page, err := l.redis.ZRangeByScoreWithScores(ctx, key, &redis.ZRangeBy{Min: from, Max: upTo, Count: int64(size + len(seen))}).Result()
		if err != nil {
			return err
		}
		fresh := slices.DeleteFunc(slices.Clone(page), func(z redis.Z) bool { return seen[z.Member] })
		if len(fresh) == 0 {
			return nil
		}
		if err := visit(fresh); err != nil {
			return err
		}
		last := page[len(page)-1].Score
		if score := strconv.FormatFloat(last, 'f', -1, 64); score != from {
			from, seen = score, map[any]bool{}
		}
		for _, z := range page {
			if z.Score == last {
				seen[z.Member] = true
			}
		}
	}
}
