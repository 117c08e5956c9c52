package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ResultFilter chooses exports of a batch; empty fields choose all.
type ResultFilter struct {
	// Counter chooses those that ended so.
	Counter Counter
	// Moving chooses those that have not ended.
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

	Row int // counted from 1, in the order in which rows were accepted
	// InputRow is that of the input, refused rows counted; 0 where it is not known.
	InputRow int
}

// ResultPage is a part of a batch's results.
type ResultPage struct {
	Results []Result
	// Next is the number of rows that have been looked at: from where the next page
	// begins. 0: there are no more.
	Next int
}

const (
	resultChunk = 500
	// resultRows bounds the rows that one page looks at where few are chosen.
	resultRows = 10_000
)

// Results lists exports of a batch in the order in which they were accepted, from a
// number of rows on: at most limit of them, and fewer or none where many rows have to
// be passed over. The batch may move meanwhile: its rows keep their places.
func (l *Ledger) Results(ctx context.Context, batch BatchID, f ResultFilter, from, limit int) (ResultPage, error) {
	var page ResultPage
	inputs, err := l.InputRows(ctx, batch)
	if err != nil {
		return page, err
	}
	at := max(from, 0)
	for end := at + resultRows; at < end; {
		n := resultChunk
		if f == (ResultFilter{}) {
			n = min(limit-len(page.Results), resultChunk)
		}
		rows, err := l.Outcomes(ctx, batch, at, n)
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

// BatchesOf reads batches in one round trip. Unknown ones are missing from the result.
func (l *Ledger) BatchesOf(ctx context.Context, ids ...BatchID) (map[BatchID]Batch, error) {
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

// BatchPage lists a customer's batches, the latest first, from a place on: "" for the
// beginning, else the next one that the page before has told. It is "" after the last.
func (l *Ledger) BatchPage(ctx context.Context, customer, from string, n int) (batches []Batch, next string, err error) {
	return l.batchPage(ctx, batchesKey(customer), customer, from, n)
}

// TestBatchPage is BatchPage for the batches of verifications.
func (l *Ledger) TestBatchPage(ctx context.Context, customer, from string, n int) (batches []Batch, next string, err error) {
	return l.batchPage(ctx, testsKey(customer), customer, from, n)
}

func (l *Ledger) batchPage(ctx context.Context, key, customer, from string, n int) (batches []Batch, next string, err error) {
	last, lastLocal, err := parsePlace(from)
	if err != nil {
		return nil, "", err
	}
	upTo := "+inf"
	if from != "" {
		upTo = last
	}
	for len(batches) < n {
		// Some more, for those that were opened in the same millisecond as the last one,
		// and for those that have expired.
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
				continue // on an earlier page: of one score, those are listed backwards
			}
			id := BatchID(customer + "-" + member(z))
			ids, places[id] = append(ids, id), place+"-"+member(z)
		}
		read, err := l.BatchesOf(ctx, ids...)
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

// ErrPlace: a list was to be continued from where it never ended.
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
