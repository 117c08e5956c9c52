package store

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// APIKey is an HTTP API key without its secret.
type APIKey struct {
	ID string `json:"id"`
	// Name is the owner of the key, shown in the audit log.
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`
	// Customers lists the customers the key can access; nil means all.
	Customers []string  `json:"customers,omitempty"`
	Created   time.Time `json:"created"`
	By        string    `json:"by"`
	Expires   time.Time `json:"expires,omitzero"`
	Revoked   time.Time `json:"revoked,omitzero"`
	// LastUsed has a resolution of one hour.
	LastUsed time.Time `json:"last_used,omitzero"`
}

// Usable reports whether the key is valid at the given time.
func (k APIKey) Usable(now time.Time) bool {
	return k.Revoked.IsZero() && (k.Expires.IsZero() || now.Before(k.Expires))
}

// sealedAPIKey is the sealed record of a key. Everything is sealed, so write access to Redis allows
// neither creating keys nor widening one.
type sealedAPIKey struct {
	APIKey

	Hash []byte `json:"hash"`
	// Origin and Revision of the key list at the time the key was created. Empty in keys of earlier
	// versions.
	Origin   string `json:"origin,omitempty"`
	Revision int64  `json:"list_revision,omitempty"`
}

var (
	// ErrAPIKeyRefused means the key is unknown, revoked or expired, or its secret is wrong. The
	// caller does not learn which.
	ErrAPIKeyRefused = errors.New("the API key is refused")
	// ErrNoAPIKey means no key has that ID.
	ErrNoAPIKey = errors.New("no API key with that id")
)

const (
	apiKeyMark     = "ixk_"
	apiKeyIDBytes  = 10 // random bytes, 16 characters
	apiSecretBytes = 32

	apiKeyUsed     = ":u" // suffix of the ID: time of last use
	apiKeyUsedEach = time.Hour
)

// NewAPIKey creates a key and fills in ID and Created. It returns the token, which is not stored
// and cannot be recovered.
func (l *Access) NewAPIKey(ctx context.Context, k APIKey, now time.Time) (APIKey, string, error) {
	if k.Customers != nil && len(k.Customers) == 0 {
		return APIKey{}, "", errNoCustomer // an empty list would mean all customers
	}
	k.ID, k.Created = randomText(apiKeyIDBytes), now.UTC().Truncate(time.Second)
	k.Revoked, k.LastUsed = time.Time{}, time.Time{}
	secret := randomText(apiSecretBytes)
	if err := l.writeAPIKey(ctx, sealedAPIKey{APIKey: k, Hash: l.keys.apiKeyHash(k.ID, secret)}, false, now); err != nil {
		return APIKey{}, "", err
	}
	return k, apiKeyMark + k.ID + "_" + secret, nil
}

func randomText(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // crashes the process if there is no randomness
	return base32Lower.EncodeToString(raw)
}

var errNoCustomer = errors.New("an API key needs a customer, or all customers")

func (l *base) openAPIKey(id, sealed string) (sealedAPIKey, error) {
	var k sealedAPIKey
	data, err := l.keys.Open([]byte(sealed), apiKeysKey)
	if err != nil {
		return k, err
	}
	// The sealed record contains the ID, so a record copied to another ID is rejected.
	if err := json.Unmarshal(data, &k); err != nil || k.ID != id {
		return sealedAPIKey{}, ErrSealed
	}
	return k, nil
}

// CheckAPIKey returns the key of a token. It returns ErrAPIKeyRefused for every invalid token, with
// the same work for each reason. Other errors come from Redis.
func (l *Access) CheckAPIKey(ctx context.Context, token string, now time.Time) (APIKey, error) {
	id, secret := splitAPIToken(token)
	values, err := l.redis.HMGet(ctx, apiKeysKey, id, id+apiKeyUsed, apiKeysList).Result()
	if err != nil {
		return APIKey{}, fmt.Errorf("read API key: %w", err)
	}
	hash, holder, sealed := l.keys.apiKeyHash(id, secret), id, text(values[0])
	known := sealed != ""
	if !known {
		holder, sealed = placeholderKeyID, l.placeholderKey()
	}
	k, err := l.openAPIKey(holder, sealed)
	if err != nil {
		k.Hash = make([]byte, len(hash))
	}
	same := subtle.ConstantTimeCompare(hash, k.Hash) == 1
	if !same || !known || err != nil || !k.Usable(now) || !l.openAPIKeyList(text(values[2])).allows(k) {
		return APIKey{}, ErrAPIKeyRefused
	}
	k.LastUsed = usedAt(text(values[1]))
	if now.Sub(k.LastUsed) >= apiKeyUsedEach {
		k.LastUsed = now.UTC().Truncate(apiKeyUsedEach)
		// A failure to record the use does not reject the key.
		_ = l.redis.HSet(ctx, apiKeysKey, id+apiKeyUsed, k.LastUsed.Unix()).Err()
	}
	return k.APIKey, nil
}

// splitAPIToken splits a token into ID and secret. An invalid token gets an ID that no key has.
func splitAPIToken(token string) (id, secret string) {
	rest, ok := strings.CutPrefix(token, apiKeyMark)
	id, secret, cut := strings.Cut(rest, "_")
	if !ok || !cut || !validAPIKeyID(id) {
		return placeholderKeyID, token
	}
	return id, secret
}

var apiKeyIDLength = base32Lower.EncodedLen(apiKeyIDBytes)

func validAPIKeyID(id string) bool {
	return len(id) == apiKeyIDLength && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// placeholderKeyID is the ID of the placeholder key that unknown IDs are compared with.
const placeholderKeyID = "nobody"

// placeholderKey returns a sealed key that matches no secret.
func (l *base) placeholderKey() string {
	l.placeholderOnce.Do(func() {
		data, err := json.Marshal(sealedAPIKey{APIKey: APIKey{ID: placeholderKeyID, Name: placeholderKeyID, Scopes: []string{"read"}}, Hash: make([]byte, apiKeyHashBytes)})
		if err != nil {
			panic(err) // unreachable: the struct holds only strings
		}
		sealed, err := l.keys.Seal(data, apiKeysKey)
		if err == nil {
			l.placeholderSealed = string(sealed)
		}
	})
	return l.placeholderSealed
}

func usedAt(field string) time.Time {
	seconds, err := strconv.ParseInt(field, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// APIKeys lists all keys, oldest first. Revoked and expired keys stay listed for 90 days, and until
// the next key is created or revoked. A key that this keyset cannot open has only its ID and cannot
// be used.
func (l *Access) APIKeys(ctx context.Context) ([]APIKey, error) {
	fields, err := l.redis.HGetAll(ctx, apiKeysKey).Result()
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	var all []APIKey
	list := l.openAPIKeyList(fields[apiKeysList])
	for id, sealed := range fields {
		if strings.HasSuffix(id, apiKeyUsed) || id == apiKeysList {
			continue
		}
		k, err := l.openAPIKey(id, sealed)
		if err != nil || k.Usable(k.Created) && !list.allows(k) && list.Revoked[id].IsZero() {
			k.APIKey = APIKey{ID: id}
		}
		if at := list.Revoked[id]; !at.IsZero() && k.Revoked.IsZero() {
			k.Revoked = at
		}
		k.LastUsed = usedAt(fields[id+apiKeyUsed])
		all = append(all, k.APIKey)
	}
	slices.SortFunc(all, func(x, y APIKey) int {
		if c := x.Created.Compare(y.Created); c != 0 {
			return c
		}
		return strings.Compare(x.ID, y.ID)
	})
	return all, nil
}

// RevokeAPIKey revokes a key immediately. The key stays listed for 90 days. Revoking it again has
// no effect. It returns ErrNoAPIKey if no key has that ID.
func (l *Access) RevokeAPIKey(ctx context.Context, id string, now time.Time) (APIKey, error) {
	sealed, err := l.redis.HGet(ctx, apiKeysKey, id).Result()
	switch {
	case errors.Is(err, redis.Nil), !validAPIKeyID(id):
		return APIKey{}, ErrNoAPIKey
	case err != nil:
		return APIKey{}, fmt.Errorf("read API key: %w", err)
	}
	k, err := l.openAPIKey(id, sealed)
	if err != nil {
		// The record cannot be opened, so the key is unusable and its record can be removed.
		k.APIKey = APIKey{ID: id, Revoked: now}
		return k.APIKey, l.writeAPIKey(ctx, k, true, now)
	}
	if !k.Revoked.IsZero() {
		return k.APIKey, nil
	}
	k.Revoked = now.UTC().Truncate(time.Second)
	return k.APIKey, l.writeAPIKey(ctx, k, false, now)
}
