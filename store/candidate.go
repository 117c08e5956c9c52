package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// ExportOf is one export of a candidate, found by the candidate's id.
type ExportOf struct {
	Batch Batch
	Outcome
}

// ExportsOf finds the exports of a candidate in all batches that are kept, the
// oldest first. Those that were erased are not among them.
func (l *Ledger) ExportsOf(ctx context.Context, customer, candidate string) ([]ExportOf, error) {
	exports, err := l.exportsOf(ctx, customer, candidate)
	if err != nil {
		return nil, err
	}
	found := make([]ExportOf, 0, len(exports))
	for _, e := range exports {
		if e.Reason == ReasonErased {
			continue
		}
		b, err := l.Batch(ctx, e.batch)
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

// batchedOutcome is an outcome, and the batch it belongs to.
type batchedOutcome struct {
	Outcome

	batch BatchID
}

// exportsOf finds a candidate's exports by their names: an export is named by batch
// and candidate, so no index is needed.
func (l *Ledger) exportsOf(ctx context.Context, customer, candidate string) ([]batchedOutcome, error) {
	locals, err := l.batchesAndTests(ctx, l.redis, customer)
	if err != nil {
		return nil, err
	}
	var found []batchedOutcome
	const page = 500
	for chunk := range slices.Chunk(locals, page) {
		batches := make([]BatchID, len(chunk))
		ids := make([]string, len(chunk))
		for i, local := range chunk {
			batches[i] = BatchID(customer + "-" + local)
			ids[i] = l.keys.ExportID(string(batches[i]), candidate)
		}
		outcomes, err := l.outcomesOf(ctx, batches, ids)
		if err != nil {
			return nil, err
		}
		for i, o := range outcomes {
			if o.State != "" {
				found = append(found, batchedOutcome{o, batches[i]})
			}
		}
	}
	return found, nil
}

// batchesAndTests lists all batches of a customer, in the order of their opening,
// those of verifications last.
func (l *Ledger) batchesAndTests(ctx context.Context, client redis.Cmdable, customer string) ([]string, error) {
	var batches, tests *redis.StringSliceCmd
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		batches, tests = p.ZRange(ctx, batchesKey(customer), 0, -1), p.ZRange(ctx, testsKey(customer), 0, -1)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list batches: %w", err)
	}
	return slices.Concat(batches.Val(), tests.Val()), nil
}

// eachBatchPage calls visit with the batches of a customer, and those of verifications,
// a page at a time. One that is opened or forgotten meanwhile may be missed or come twice.
func (l *Ledger) eachBatchPage(ctx context.Context, customer string, visit func(locals []string) error) error {
	for _, key := range []string{batchesKey(customer), testsKey(customer)} {
		for cursor := uint64(0); ; {
			// Members and scores in turn.
			page, next, err := l.redis.ZScan(ctx, key, cursor, "", batchPage).Result()
			if err != nil {
				return fmt.Errorf("list batches: %w", err)
			}
			locals := make([]string, 0, len(page)/2)
			for i := 0; i < len(page); i += 2 {
				locals = append(locals, page[i])
			}
			if len(locals) > 0 {
				if err := visit(locals); err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				break
			}
		}
	}
	return nil
}

// TestBatches is Batches of verifications.
func (l *Ledger) TestBatches(ctx context.Context, customer string, since time.Time, n int) ([]Batch, error) {
	return l.batchesIn(ctx, testsKey(customer), customer, since, n)
}

// Batches lists the batches of a customer opened since a time, the newest first.
// Batches that expired are forgotten along the way.
func (l *Ledger) Batches(ctx context.Context, customer string, since time.Time, n int) ([]Batch, error) {
	return l.batchesIn(ctx, batchesKey(customer), customer, since, n)
}

func (l *Ledger) batchesIn(ctx context.Context, key, customer string, since time.Time, n int) ([]Batch, error) {
	locals, err := l.redis.ZRevRangeByScore(ctx, key, &redis.ZRangeBy{
		Min: fmt.Sprint(since.UnixMilli()), Max: "+inf", Count: int64(n),
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("list batches: %w", err)
	}
	batches := make([]Batch, 0, len(locals))
	for _, local := range locals {
		b, err := l.Batch(ctx, BatchID(customer+"-"+local))
		switch {
		case errors.Is(err, ErrNoBatch):
			if err := l.redis.ZRem(ctx, key, local).Err(); err != nil {
				return nil, fmt.Errorf("forget batch: %w", err)
			}
		case err != nil:
			return nil, err
		default:
			batches = append(batches, b)
		}
	}
	return batches, nil
}
