package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Entry is one entry of an export's timeline. It is sealed. Quotes from iCIMS are stored
// separately, see icims_messages.go.
type Entry struct {
	At time.Time `json:"at"`
	// What is the outcome of an attempt ("retry", "unknown", "done", ...) or the name of an outside
	// action ("retried by operator").
	What     string   `json:"what"`
	Reason   Reason   `json:"reason,omitempty"`
	Attempt  int      `json:"attempt,omitempty"`
	Again    int64    `json:"again,omitempty"`    // seconds until the next attempt
	Findings []string `json:"findings,omitempty"` // findings and decisions, in sentences
	Calls    []Called `json:"calls,omitempty"`
	Who      string   `json:"who,omitempty"`
	Why      string   `json:"why,omitempty"`
}

// WhatSealed is the What of an entry that this keyset cannot open.
const WhatSealed = "sealed"

// Called is one call of an attempt that did not succeed at once.
type Called struct {
	Op          string `json:"op"`
	Status      int    `json:"status,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Sent        string `json:"sent,omitempty"`
	Transaction string `json:"transaction,omitempty"`
	// Problems are code and field, ": " and iCIMS's message. Messages may repeat what was sent, so
	// they are deleted when the export ends.
	Problems []string `json:"problems,omitempty"`
}

// sealEntry renders an entry for a script; "" for nil.
func (l *base) sealEntry(ref Ref, e *Entry) (string, error) {
	if e == nil {
		return "", nil
	}
	entry, words := splitWords(*e)
	data, err := json.Marshal(entry)
	if err != nil {
		return "", fmt.Errorf("encode story: %w", err)
	}
	sealed, err := l.keys.Seal(data, timelineKey(ref.Customer, ref.Export))
	if err != nil || words == nil {
		return string(sealed), err
	}
	apart, err := l.sealWords(ref, words)
	return apart + string(sealed), err
}

// Timeline returns the timeline of an export, oldest entry first: the last 20 entries. That of a
// finished export is kept as long as its outcome.
func (l *Ledger) Timeline(ctx context.Context, ref Ref) ([]Entry, error) {
	key := timelineKey(ref.Customer, ref.Export)
	var entries, messages *redis.StringSliceCmd
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		entries, messages = p.LRange(ctx, key, 0, -1), p.LRange(ctx, wordsKey(ref.Customer, ref.Export), 0, -1)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read story: %w", err)
	}
	sealed, words := entries.Val(), l.openWords(ref, messages.Val())
	story := make([]Entry, 0, len(sealed))
	for _, item := range slices.Backward(sealed) {
		data, err := l.keys.Open([]byte(item), key)
		if errors.Is(err, ErrSealed) {
			story = append(story, Entry{What: WhatSealed}) // with a lost key: the rest is still useful
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("story of export %s: %w", ref.Export, err)
		}
		var e Entry
		if err := json.Unmarshal(data, &e); err != nil {
			return nil, fmt.Errorf("story of export %s is not readable", ref.Export)
		}
		words.join(&e)
		story = append(story, e)
	}
	return story, nil
}
