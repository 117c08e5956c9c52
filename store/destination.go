package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// destination holds target and options as recorded in the batch. Each payload is sealed for them,
// so a batch with a changed record opens no payload.
type destination struct{ target, options string }

func (s BatchSpec) destination() destination { return destination{s.target(), s.options()} }

// place returns the additional data a payload is sealed with.
func (d destination) place(ref Ref) string {
	return payloadPlace(ref) + "\n" + d.target + "\n" + d.options
}

func (l *base) sealPayload(data []byte, ref Ref, to destination) ([]byte, error) {
	return l.keys.Seal(data, to.place(ref))
}

// openPayload opens the payload of an export. It also opens payloads sealed by versions that did
// not include the destination. They cannot be forged from payloads that include it.
func (l *base) openPayload(sealed []byte, ref Ref, to destination) ([]byte, error) {
	data, err := l.keys.Open(sealed, to.place(ref))
	if errors.Is(err, ErrForged) {
		return l.keys.Open(sealed, payloadPlace(ref))
	}
	return data, err
}

// destinationsOf reads the destinations of exports from their records.
func (l *base) destinationsOf(ctx context.Context, refs []Ref) ([]destination, error) {
	batches := make([]*redis.StringCmd, len(refs))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, ref := range refs {
			batches[i] = p.HGet(ctx, recordKey(ref.Customer, ref.Export), "b")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read records: %w", err)
	}
	read := make([]*redis.SliceCmd, len(refs))
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, ref := range refs {
			read[i] = p.HMGet(ctx, batchKey(BatchID(ref.Customer+"-"+batches[i].Val())), "t", "o")
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	all := make([]destination, len(refs))
	for i := range refs {
		all[i] = destination{text(read[i].Val()[0]), text(read[i].Val()[1])}
	}
	return all, nil
}
