package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The store keeps check values, so that a process with a wrong keyset fails at start: one made by
// the hashing key, and one sealed by each sealing key that may still have values in the store.
const (
	hashingCheck = "h"
	sealingCheck = "k:" // followed by the key ID
)

// KeysetError means the keyset does not belong to this store, or lacks keys.
type KeysetError struct {
	// OtherHashing means the hashing key differs.
	OtherHashing bool
	// Missing lists the sealing keys that the keyset lacks.
	Missing []KeyID
}

func (e *KeysetError) Error() string {
	if e.OtherHashing {
		return "the keyset is not the one used with this Redis: its hashing key differs"
	}
	ids := make([]string, len(e.Missing))
	for i, id := range e.Missing {
		ids[i] = strconv.FormatUint(uint64(id), 10)
	}
	return "the keyset lacks the sealing key " + strings.Join(ids, ", ") + ", which seals data in this Redis"
}

// CheckKeyset compares the keyset with the store's check values, and adds those of its primary key
// if missing. It returns a *KeysetError on mismatch. Call it at start in every process that seals.
func (l *Checks) CheckKeyset(ctx context.Context) error {
	hash := l.keys.hash("check")
	values, err := l.redis.HGetAll(ctx, keysetKey).Result()
	if err == nil && values[hashingCheck] == "" {
		// The first keyset used becomes the store's.
		if err = l.redis.HSetNX(ctx, keysetKey, hashingCheck, hash).Err(); err == nil {
			values, err = l.redis.HGetAll(ctx, keysetKey).Result()
		}
	}
	if err != nil {
		return fmt.Errorf("check keyset: %w", err)
	}
	if values[hashingCheck] != hash {
		return &KeysetError{OtherHashing: true}
	}
	var missing []KeyID
	for field, sealed := range values {
		id, isSealing := checkedKey(field)
		if !isSealing {
			continue
		}
		if _, err := l.keys.Open([]byte(sealed), checkPlace(id)); err != nil {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return &KeysetError{Missing: missing}
	}
	// A Redis that temporarily rejects writes must not prevent a start.
	if values[checkField(l.keys.Primary())] != "" {
		return nil
	}
	return l.enterKey(ctx)
}

// enterKey adds the check value of the key that seals.
func (l *base) enterKey(ctx context.Context) error {
	sealed, err := l.keys.Seal([]byte("check"), checkPlace(l.keys.Primary()))
	if err != nil {
		return err
	}
	// Use the ID of the key that sealed: another may have become primary just now.
	id, _ := SealedBy(sealed)
	if id != l.keys.Primary() {
		return l.enterKey(ctx)
	}
	if err := l.redis.HSetNX(ctx, keysetKey, checkField(id), sealed).Err(); err != nil {
		return fmt.Errorf("enter key: %w", err)
	}
	return nil
}

// AdoptKeyset makes the keyset the store's. Values sealed with other keys can no longer be opened.
func (l *Checks) AdoptKeyset(ctx context.Context) error {
	if err := l.redis.Del(ctx, keysetKey).Err(); err != nil {
		return fmt.Errorf("adopt keyset: %w", err)
	}
	return l.Checks.CheckKeyset(ctx)
}

// forgetKeys removes the check values of keys that have no values left in the store.
func (l *base) forgetKeys(ctx context.Context, ids []KeyID) error {
	if len(ids) == 0 {
		return nil
	}
	fields := make([]string, len(ids))
	for i, id := range ids {
		fields[i] = checkField(id)
	}
	if err := l.redis.HDel(ctx, keysetKey, fields...).Err(); err != nil {
		return fmt.Errorf("forget keys: %w", err)
	}
	return nil
}

// CheckedKeys lists the sealing keys with a check value in the store.
func (l *Checks) CheckedKeys(ctx context.Context) ([]KeyID, error) {
	fields, err := l.redis.HKeys(ctx, keysetKey).Result()
	if err != nil {
		return nil, fmt.Errorf("read check values: %w", err)
	}
	var ids []KeyID
	for _, field := range fields {
		if id, ok := checkedKey(field); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

func checkField(id KeyID) string { return sealingCheck + strconv.FormatUint(uint64(id), 10) }

func checkPlace(id KeyID) string { return keysetKey + ":" + checkField(id) }

func checkedKey(field string) (KeyID, bool) {
	digits, ok := strings.CutPrefix(field, sealingCheck)
	id, err := strconv.ParseUint(digits, 10, 32)
	return KeyID(id), ok && err == nil
}
