package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ResultFilter selects exports of a batch; empty fields select all.
type ResultFilter struct {
	// Counter selects exports that ended with it.
	Counter Counter
	// Moving selects exports in progress.
	Moving bool
	Reason Reason
}

func (f ResultFilter) chooses(o Outcome) bool {
	switch {
	case f.Reason != "" && o.Reason != f.Reason:
		return false
	case f.Moving:
		return o.State != "" && !o.State.Ended()
	}
	return f.Counter == "" || o.State.Ended() && o.Counter == f.Counter
}

// Result is one row of a batch.
type Result struct {
	Outcome

	Row int // 1-based, in the order rows were accepted
	// InputRow is the 1-based row of the input, counting refused rows; 0 if unknown.
	InputRow int
}

// ResultPage is a page of a batch's results.
type ResultPage struct {
	Results []Result
	// Next is where the next page starts: the number of rows read so far. 0 at the end.
	Next int
}

const (
	resultChunk = 500
	// resultRows limits the rows read per page if few match.
	resultRows = 10_000
)

// Results lists up to limit exports of a batch in the order they were accepted, starting after
// `from` rows. It may return fewer, or none, if many rows do not match. Rows keep their positions
// while the batch is in progress.
func (l *Batches) Results(ctx context.Context, batch BatchID, f ResultFilter, from, limit int) (ResultPage, error) {
	var page ResultPage
	inputs, err := l.Batches.InputRows(ctx, batch)
	if err != nil {
		return page, err
	}
	at := max(from, 0)
	for end := at + resultRows; at < end; {
		n := resultChunk
		if f == (ResultFilter{}) {
			n = min(limit-len(page.Results), resultChunk)
		}
		rows, err := l.Batches.Outcomes(ctx, batch, at, n)
		if err != nil {
			return page, err
		}
		for i, o := range rows {
			if !f.chooses(o) {
				continue
			}
			page.Results = append(page.Results, Result{o, at + i + 1, inputs.At(at + i + 1)})
			if len(page.Results) == limit {
				page.Next = at + i + 1
				return page, nil
			}
		}
		if at += len(rows); len(rows) < n {
			return page, nil
		}
	}
	page.Next = at
	return page, nil
}

// GetAll reads batches in one round trip. The result leaves out unknown ones.
func (l *Batches) GetAll(ctx context.Context, ids ...BatchID) (map[BatchID]Batch, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	read := make([]*redis.MapStringStringCmd, len(ids))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			read[i] = p.HGetAll(ctx, batchKey(id))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	batches := make(map[BatchID]Batch, len(ids))
	for i, id := range ids {
		if f := read[i].Val(); len(f) > 0 {
			batches[id] = readBatch(id, f)
		}
	}
	return batches, nil
}

// Page lists a customer's batches, newest first. from is "" for the first page, then next of
// the previous page, which is "" at the end.
func (l *Batches) Page(ctx context.Context, customer, from string, n int) (batches []Batch, next string, err error) {
	return l.batchPage(ctx, batchesKey(customer), customer, from, n)
}

// TestPage is BatchPage for batches of verifications.
func (l *Batches) TestPage(ctx context.Context, customer, from string, n int) (batches []Batch, next string, err error) {
	return l.batchPage(ctx, testsKey(customer), customer, from, n)
}

func (l *base) batchPage(ctx context.Context, key, customer, from string, n int) (batches []Batch, next string, err error) {
	last, lastLocal, err := parsePlace(from)
	if err != nil {
		return nil, "", err
	}
	upTo := "+inf"
	if from != "" {
		upTo = last
	}
	for len(batches) < n {
		// Read some more, in case several were opened in the same millisecond as the last one, or
		// have expired.
		found, err := l.redis.ZRevRangeByScoreWithScores(ctx, key, &redis.ZRangeBy{
			Min: "-inf", Max: upTo, Count: int64(n + batchPage),
		}).Result()
		if err != nil {
			return nil, "", fmt.Errorf("list batches: %w", err)
		}
		var ids []BatchID
		places := map[BatchID]string{}
		for _, z := range found {
			place := strconv.FormatFloat(z.Score, 'f', 0, 64)
			if from != "" && place == last && member(z) >= lastLocal {
				continue // on an earlier page: equal scores are listed in reverse order
			}
			id := BatchID(customer + "-" + member(z))
			ids, places[id] = append(ids, id), place+"-"+member(z)
		}
		read, err := l.Batches.GetAll(ctx, ids...)
		if err != nil {
			return nil, "", err
		}
		for _, id := range ids {
			from, next = places[id], places[id]
			if b, ok := read[id]; ok {
				batches = append(batches, b)
			}
			if len(batches) == n {
				return batches, next, nil
			}
		}
		if len(found) < n+batchPage || len(ids) == 0 {
			return batches, "", nil
		}
		last, lastLocal, _ = parsePlace(from)
		upTo = last
	}
	return batches, next, nil
}

// ErrPlace means the page cursor is invalid.
var ErrPlace = errors.New("no such position in the list")

func parsePlace(place string) (score, local string, err error) {
	if place == "" {
		return "", "", nil
	}
	score, local, ok := strings.Cut(place, "-")
	if _, err := strconv.ParseUint(score, 10, 53); err != nil || !ok {
		return "", "", ErrPlace
	}
	return score, local, nil
}
