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
// oldest first. Exports are named by batch and candidate, so no index is needed.
func (l *Ledger) ExportsOf(ctx context.Context, customer, candidate string) ([]ExportOf, error) {
	locals, err := l.redis.ZRange(ctx, batchesKey(customer), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list batches: %w", err)
	}
	var found []ExportOf
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
			if o.State == "" {
				continue
			}
			b, err := l.Batch(ctx, batches[i])
			if errors.Is(err, ErrNoBatch) {
				continue
			}
			if err != nil {
				return nil, err
			}
			o.Candidate = candidate
			found = append(found, ExportOf{b, o})
		}
	}
	return found, nil
}

// Batches lists the batches of a customer opened since a time, the newest first.
// Batches that expired are forgotten along the way.
func (l *Ledger) Batches(ctx context.Context, customer string, since time.Time, n int) ([]Batch, error) {
	locals, err := l.redis.ZRevRangeByScore(ctx, batchesKey(customer), &redis.ZRangeBy{
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
			if err := l.redis.ZRem(ctx, batchesKey(customer), local).Err(); err != nil {
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
