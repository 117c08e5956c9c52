package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// ReviveAll is Revive for many exports of a customer in one round trip. It returns those that were
// dead letters and skips the others.
func (l *DeadLetters) ReviveAll(ctx context.Context, customer string, exports []string, who, why string) (revived []string, err error) {
	entry := &Entry{At: time.Now(), What: "retried", Who: who, Why: why}
	answers, err := l.many(ctx, reviveScript, customer, exports, entry, func(export, sealed string) []any {
		return []any{prefix(customer), export, firstLook.Milliseconds(), sealed}
	})
	if err != nil {
		return nil, err
	}
	for i, export := range exports {
		if text(answers[i][0]) == "ok" {
			revived = append(revived, export)
		}
	}
	return revived, nil
}

// DiscardAll is Discard for many exports of a customer in one round trip. It returns how many were
// dead letters.
func (l *DeadLetters) DiscardAll(ctx context.Context, customer string, exports []string, who, why string) (int, error) {
	entry := &Entry{At: time.Now(), What: "discarded", Who: who, Why: why}
	answers, err := l.many(ctx, discardScript, customer, exports, entry, func(export, sealed string) []any {
		return []any{prefix(customer), export, int64(l.retention / time.Second), sealed}
	})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, answer := range answers {
		if text(answer[0]) == "ok" {
			n++
		}
	}
	return n, nil
}

// many runs a script for each export in one pipeline. With an error it returns the answers received
// before it; the rest are nil.
func (l *base) many(ctx context.Context, s script, customer string, exports []string, entry *Entry, args func(export, sealed string) []any) ([][]any, error) {
	sealed := make([]string, len(exports))
	for i, export := range exports {
		var err error
		if sealed[i], err = l.sealEntry(Ref{customer, export}, entry); err != nil {
			return nil, err
		}
	}
	calls := make([]scriptCall, len(exports))
	for i, export := range exports {
		calls[i] = scriptCall{recordKey(customer, export), args(export, sealed[i])}
	}
	answers, err := l.pipelined(ctx, s, calls)
	lists := make([][]any, len(answers))
	for i, answer := range answers {
		lists[i], _ = answer.([]any)
	}
	return lists, err
}

// Get reads one dead letter. It returns ErrNotDead if the export is not one.
func (l *DeadLetters) Get(ctx context.Context, ref Ref) (DeadLetter, error) {
	score, err := l.redis.ZScore(ctx, deadKey(ref.Customer), ref.Export).Result()
	if errors.Is(err, redis.Nil) {
		return DeadLetter{}, ErrNotDead
	}
	if err != nil {
		return DeadLetter{}, fmt.Errorf("read dead letter: %w", err)
	}
	letters, err := l.deadLetters(ctx, ref.Customer, []redis.Z{{Score: score, Member: ref.Export}})
	if err != nil {
		return DeadLetter{}, err
	}
	if len(letters) == 0 {
		return DeadLetter{}, ErrNotDead
	}
	return letters[0], nil
}

// GetAll reads the exports that are dead letters, in the order given.
func (l *DeadLetters) GetAll(ctx context.Context, customer string, exports []string) ([]DeadLetter, error) {
	if len(exports) == 0 {
		return nil, nil
	}
	scores := make([]*redis.FloatCmd, len(exports))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, export := range exports {
			scores[i] = p.ZScore(ctx, deadKey(customer), export)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	found := make([]redis.Z, 0, len(exports))
	for i, export := range exports {
		if scores[i].Err() == nil {
			found = append(found, redis.Z{Score: scores[i].Val(), Member: export})
		}
	}
	return l.deadLetters(ctx, customer, found)
}

// LastEntries returns the latest timeline entry of each export, in the order given. It is nil for
// an export without a timeline. What is WhatSealed if this keyset cannot open the entry.
func (l *DeadLetters) LastEntries(ctx context.Context, customer string, exports []string) ([]*Entry, error) {
	heads := make([]*redis.StringCmd, len(exports))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, export := range exports {
			heads[i] = p.LIndex(ctx, timelineKey(customer, export), 0)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read timelines: %w", err)
	}
	entries := make([]*Entry, len(exports))
	for i, head := range heads {
		sealed := head.Val()
		if sealed == "" {
			continue
		}
		data, err := l.keys.Open([]byte(sealed), timelineKey(customer, exports[i]))
		if errors.Is(err, ErrSealed) {
			entries[i] = &Entry{What: WhatSealed} // with a lost key: the rest is still useful
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("story of export %s: %w", exports[i], err)
		}
		entries[i] = new(Entry)
		if err := json.Unmarshal(data, entries[i]); err != nil {
			return nil, fmt.Errorf("story of export %s is not readable", exports[i])
		}
	}
	return entries, nil
}

// Payload opens the payload of a live or dead export. It returns ErrGone for a finished one.
func (l *DeadLetters) Payload(ctx context.Context, ref Ref) ([]byte, error) {
	sealed, err := l.redis.Get(ctx, payloadKey(ref.Customer, ref.Export)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	to, err := l.destinationsOf(ctx, []Ref{ref})
	if err != nil {
		return nil, err
	}
	return l.openPayload(sealed, ref, to[0])
}
