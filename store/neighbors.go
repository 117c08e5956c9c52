package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Neighbor is an export of the same batch that needs a look-up.
type Neighbor struct {
	Export  string
	Payload []byte
}

// Neighbors returns which of n exports of the claim's batch, starting at a row, need a look-up:
// nothing of them is known to be in iCIMS, and they will not be skipped. It leaves out exports
// whose data this keyset cannot open.
func (l *Ledger) Neighbors(ctx context.Context, c *Claim, from, n int) ([]Neighbor, error) {
	ids, err := l.redis.LRange(ctx, rowsKey(c.Batch), int64(from), int64(from+n-1)).Result()
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	records, payloads := make([]*redis.SliceCmd, len(ids)), make([]*redis.StringCmd, len(ids))
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			records[i] = p.HMGet(ctx, recordKey(c.Customer, id), "st", "pe", "in", "c")
			payloads[i] = p.Get(ctx, payloadKey(c.Customer, id))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read adjacent rows: %w", err)
	}
	var waiting []Neighbor
	var candidates []string
	for i, id := range ids {
		r := records[i].Val()
		if len(r) < 4 || r[1] != nil || r[2] != nil || !needsLookUp[State(text(r[0]))] {
			continue
		}
		payload, err := l.openPayload([]byte(payloads[i].Val()), Ref{c.Customer, id}, c.destination())
		if err != nil {
			continue // its own claim reports the error
		}
		waiting, candidates = append(waiting, Neighbor{id, payload}), append(candidates, text(r[3]))
	}
	if c.IncludesExported() {
		return waiting, nil
	}
	markers, err := l.Candidates.Markers(ctx, c.Customer, candidates)
	if err != nil {
		return nil, err
	}
	kept := waiting[:0]
	for i, n := range waiting {
		if _, exported := markers[candidates[i]]; !exported {
			kept = append(kept, n)
		}
	}
	return kept, nil
}

// needsLookUp lists the states of exports that need a look-up.
var needsLookUp = map[State]bool{Queued: true, Claimed: true, Deferred: true, Retrying: true}
