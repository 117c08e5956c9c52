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

// apiKeyList names the API keys that are good, sealed as a whole. Whoever can write to
// Redis may put back the record of a key from before its end, but cannot forge the list:
// a key that it does not name opens nothing. So nothing has to be remembered of keys that
// are gone.
type apiKeyList struct {
	// Origin is drawn when the list is made. Keys carry that of their list, so that one
	// made after another was deleted revives no key.
	Origin string `json:"origin"`
	// Revision grows with each change.
	Revision int64 `json:"revision"`
	// Good are the keys that were not revoked; nil in lists of earlier versions, which
	// name the revoked keys only.
	Good []string `json:"good_keys"`
	// Revoked says of keys when they were revoked, for as long as their records are kept.
	Revoked map[string]time.Time `json:"revoked_keys"`

	sealed string // as it was read
}

const (
	apiKeysList = ":revoked" // no key has that id
	// apiKeyKept is for how long a key is listed after it was revoked or has expired. The
	// next change of a key removes it then.
	apiKeyKept = 90 * 24 * time.Hour
)

var apiKeysScript = loadEssentialFleetScript("apikeys")

// seenAPIKeyList is the latest list that this process has seen.
type seenAPIKeyList struct {
	mu     sync.Mutex
	latest apiKeyList
}

// later returns the list, or the one that this process has seen where that is later:
// somebody has put back an older one.
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

// openAPIKeyList opens the list. Of none, or one that does not open, nothing is known.
func (l *Ledger) openAPIKeyList(sealed string) apiKeyList {
	list := apiKeyList{}
	data, err := l.keys.Open([]byte(sealed), apiKeysKey)
	if sealed == "" || err != nil || json.Unmarshal(data, &list) != nil {
		list = apiKeyList{}
	}
	list.sealed = sealed
	return l.apiKeys.later(list)
}

// allows reports whether a key may be good by the list.
func (a apiKeyList) allows(k sealedAPIKey) bool {
	if a.Good != nil {
		return slices.Contains(a.Good, k.ID)
	}
	if _, revoked := a.Revoked[k.ID]; revoked {
		return false
	}
	// The first keys had no list.
	return k.Origin == "" || k.Origin == a.Origin && k.Revision <= a.Revision
}

// nextAPIKeyList returns the list with a key entered or revoked, and the keys whose records
// may go. Records are all fields in Redis.
func (l *Ledger) nextAPIKeyList(list apiKeyList, k sealedAPIKey, records map[string]string, now time.Time) (next apiKeyList, over []string) {
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
			over = append(over, id) // somebody has put it back
		}
	}
	if k.Revoked.IsZero() {
		next.Good = append(next.Good, k.ID)
	}
	maps.DeleteFunc(next.Revoked, func(_ string, at time.Time) bool { return now.Sub(at) >= apiKeyKept })
	slices.Sort(next.Good)
	return next, over
}

// ended is when a key was revoked or has expired; zero where it has no end.
func ended(k APIKey, revoked time.Time) time.Time {
	var first time.Time
	for _, at := range []time.Time{k.Revoked, k.Expires, revoked} {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// writeAPIKey writes a key, or removes its record where `remove` is set, together with
// the list, and removes the records of keys that ended long ago.
func (l *Ledger) writeAPIKey(ctx context.Context, k sealedAPIKey, remove bool, now time.Time) error {
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
