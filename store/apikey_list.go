package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// apiKeyList is the sealed list of valid API keys. Write access to Redis allows restoring the
// record of a revoked key, but not forging the list, and a key that is not on the list is rejected.
// So deleted keys need no record.
type apiKeyList struct {
	// Origin is a random value, drawn when the list is created. Each key carries the origin of its
	// list, so a list created after a deletion cannot revive old keys.
	Origin string `json:"origin"`
	// Revision increases with each change.
	Revision int64 `json:"revision"`
	// Good lists the keys that are not revoked; nil in lists of earlier versions, which contain
	// only Revoked.
	Good []string `json:"good_keys"`
	// Revoked maps keys to the time of revocation, as long as their records are kept.
	Revoked map[string]time.Time `json:"revoked_keys"`

	sealed string // as read
}

const (
	apiKeysList = ":revoked" // no key has this ID
	// apiKeyKept is how long a key stays listed after it was revoked or expired. The next change to
	// any key then removes it.
	apiKeyKept = 90 * 24 * time.Hour
)

var apiKeysScript = loadEssentialFleetScript("apikeys")

// seenAPIKeyList is the latest list this process has seen.
type seenAPIKeyList struct {
	mu     sync.Mutex
	latest apiKeyList
}

// later returns the newer of list and the latest list this process has seen. An older list in Redis
// means that a previous value was written back.
func (s *seenAPIKeyList) later(list apiKeyList) apiKeyList {
	s.mu.Lock()
	defer s.mu.Unlock()
	if list.Revision < s.latest.Revision && (list.Origin == s.latest.Origin || list.Origin == "") {
		latest := s.latest
		latest.sealed = list.sealed
		return latest
	}
	s.latest = list
	return list
}

// openAPIKeyList opens the list. It returns an empty list if sealed is empty or cannot be opened.
func (l *base) openAPIKeyList(sealed string) apiKeyList {
	list := apiKeyList{}
	data, err := l.keys.Open([]byte(sealed), apiKeysKey)
	if sealed == "" || err != nil || json.Unmarshal(data, &list) != nil {
		list = apiKeyList{}
	}
	list.sealed = sealed
	return l.apiKeys.later(list)
}

// allows reports whether the list permits a key.
func (a apiKeyList) allows(k sealedAPIKey) bool {
	if a.Good != nil {
		return slices.Contains(a.Good, k.ID)
	}
	if _, revoked := a.Revoked[k.ID]; revoked {
		return false
	}
	// The first keys were created without a list.
	return k.Origin == "" || k.Origin == a.Origin && k.Revision <= a.Revision
}

// nextAPIKeyList returns the list after adding or revoking k, and the keys whose records can be
// removed. records holds all fields of the Redis hash.
func (l *base) nextAPIKeyList(list apiKeyList, k sealedAPIKey, records map[string]string, now time.Time) (next apiKeyList, over []string) {
	next = apiKeyList{Origin: list.Origin, Revision: list.Revision + 1, Good: []string{}, Revoked: maps.Clone(list.Revoked)}
	if next.Origin == "" {
		next.Origin = randomText(apiKeyIDBytes)
	}
	if next.Revoked == nil {
		next.Revoked = map[string]time.Time{}
	}
	if !k.Revoked.IsZero() {
		next.Revoked[k.ID] = k.Revoked
	}
	for id, sealed := range records {
		if !validAPIKeyID(id) || id == k.ID {
			continue
		}
		other, err := l.openAPIKey(id, sealed)
		other.ID = id
		good := list.allows(other) && other.Revoked.IsZero() && (err == nil || list.Good != nil)
		switch end := ended(other.APIKey, next.Revoked[id]); {
		case !end.IsZero() && now.Sub(end) >= apiKeyKept:
			over = append(over, id)
		case good:
			next.Good = append(next.Good, id)
		case end.IsZero() && list.Good != nil:
			over = append(over, id) // a removed record was written back
		}
	}
	if k.Revoked.IsZero() {
		next.Good = append(next.Good, k.ID)
	}
	maps.DeleteFunc(next.Revoked, func(_ string, at time.Time) bool { return now.Sub(at) >= apiKeyKept })
	slices.Sort(next.Good)
	return next, over
}

// ended returns when a key was revoked or expired; zero if neither applies.
func ended(k APIKey, revoked time.Time) time.Time {
	var first time.Time
	for _, at := range []time.Time{k.Revoked, k.Expires, revoked} {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// writeAPIKey writes the list and the key's record, or removes that record if remove is set. It
// also removes the records of keys that ended more than apiKeyKept ago.
func (l *base) writeAPIKey(ctx context.Context, k sealedAPIKey, remove bool, now time.Time) error {
	for {
		records, err := l.redis.HGetAll(ctx, apiKeysKey).Result()
		if err != nil {
			return fmt.Errorf("read API keys: %w", err)
		}
		was := records[apiKeysList]
		list, over := l.nextAPIKeyList(l.openAPIKeyList(was), k, records, now)
		if k.Revoked.IsZero() {
			k.Origin, k.Revision = list.Origin, list.Revision
		}
		sealedList, err := l.sealJSON(list, apiKeysKey)
		if err != nil {
			return err
		}
		sealed := ""
		if !remove {
			if sealed, err = l.sealJSON(k, apiKeysKey); err != nil {
				return err
			}
		}
		args := []any{apiKeysList, was, sealedList, k.ID, sealed}
		for _, id := range over {
			args = append(args, id, id+apiKeyUsed)
		}
		written, err := apiKeysScript.of(l).Run(ctx, l.redis, []string{apiKeysKey}, args...).Int()
		if err != nil {
			return fmt.Errorf("write API key: %w", err)
		}
		if written == 1 {
			l.openAPIKeyList(sealedList)
			return nil
		}
	}
}
