package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// revocations is the list of revoked API keys, sealed as a whole. A key's own record
// says so, too, but whoever can write to Redis may put back the record from before. The
// list cannot be forged, and without it, or with one from before a key was made, the
// key opens nothing.
type revocations struct {
	// Origin is drawn when the list is made. Keys carry that of their list, so that one
	// made after another was deleted revives no key.
	Origin string `json:"origin"`
	// Revision grows with each change.
	Revision int64                `json:"revision"`
	Revoked  map[string]time.Time `json:"revoked_keys"`

	sealed string // as it was read
}

const apiKeysRevoked = ":revoked" // no key has that id

var apiKeysScript = loadEssentialFleetScript("apikeys")

// seenRevocations is the latest list that this process has seen.
type seenRevocations struct {
	mu     sync.Mutex
	latest revocations
}

// later returns the list, or the one that this process has seen where that is later:
// somebody has put back an older one.
func (s *seenRevocations) later(list revocations) revocations {
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

// openRevocations opens the list. Of none, or one that does not open, nothing is known.
func (l *Ledger) openRevocations(sealed string) revocations {
	list := revocations{}
	data, err := l.keys.Open([]byte(sealed), apiKeysKey)
	if sealed == "" || err != nil || json.Unmarshal(data, &list) != nil {
		list = revocations{}
	}
	list.sealed = sealed
	return l.revoked.later(list)
}

// allows reports whether a key may be good by the list.
func (r revocations) allows(k sealedAPIKey) bool {
	if _, revoked := r.Revoked[k.ID]; revoked {
		return false
	}
	// Keys of earlier versions have no list.
	return k.Origin == "" || k.Origin == r.Origin && k.Revision <= r.Revision
}

// writeAPIKey writes a key, or removes its record where `remove` is set, together with
// the list of revoked keys.
func (l *Ledger) writeAPIKey(ctx context.Context, k sealedAPIKey, remove bool) error {
	for {
		was, err := l.redis.HGet(ctx, apiKeysKey, apiKeysRevoked).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("read revoked API keys: %w", err)
		}
		list := l.openRevocations(was)
		if list.Origin == "" {
			list.Origin = randomText(apiKeyIDBytes)
		}
		list.Revision++
		if !k.Revoked.IsZero() {
			list.Revoked = maps.Clone(list.Revoked)
			if list.Revoked == nil {
				list.Revoked = map[string]time.Time{}
			}
			list.Revoked[k.ID] = k.Revoked
		} else {
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
		written, err := apiKeysScript.of(l).Run(ctx, l.redis, []string{apiKeysKey}, apiKeysRevoked, was, sealedList, k.ID, sealed).Int()
		if err != nil {
			return fmt.Errorf("write API key: %w", err)
		}
		if written == 1 {
			l.openRevocations(sealedList)
			return nil
		}
	}
}
