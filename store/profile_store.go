package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

var profileScript = loadEssentialFleetScript("profile")

// profileKept is how long a profile is kept without a new verification. The profile of a stored
// connection is deleted with it. The removal of a connection from the file is not reported.
const profileKept = 366 * 24 * time.Hour

// StoredProfile is a stored tenant profile with the settings it was found with.
type StoredProfile struct {
	Profile TenantProfile `json:"profile"`
	// Settings is a keyed hash of these settings.
	Settings string `json:"settings"`
}

// verifiedSettings returns the connection without the settings that do not affect verification.
func (c Connection) verifiedSettings() Connection {
	c.Limits, c.DummyDomain, c.Capabilities = Limits{}, "", ""
	c.Profile, c.Stored = TenantProfile{}, false
	return c
}

// settingsHash identifies the settings that affect verification.
func (k *Keyset) settingsHash(c Connection) string {
	parts := []string{string(c.Password)}
	c.WithDefaults().verifiedSettings().Settings(func(name, value string) { parts = append(parts, name, value) })
	return k.hash("settings", parts...)
}

// ProfileFor returns the part of a stored profile that applies to a connection. With other
// settings, that is what does not depend on the account: the test candidate and the search lag.
func (k *Keyset) ProfileFor(c Connection, kept StoredProfile) TenantProfile {
	if kept.Settings == "" {
		return TenantProfile{}
	}
	if kept.Settings != k.settingsHash(c) {
		return TenantProfile{TestPerson: kept.Profile.TestPerson, TestJob: kept.Profile.TestJob, SearchLag: kept.Profile.SearchLag}
	}
	return kept.Profile
}

// SaveProfile stores the findings of a verification and notifies the workers. revision is that of
// the verified connection, 0 for one from the file. It returns *ConnectionChangedError if the
// stored connection has changed.
func (l *Connections) SaveProfile(ctx context.Context, c Connection, revision int64, p TenantProfile) error {
	key := profileKey(c.Customer)
	sealed, err := l.sealJSON(StoredProfile{Profile: p, Settings: l.keys.settingsHash(c)}, key)
	if err != nil {
		return err
	}
	answer, err := l.run(ctx, profileScript, connectionKey(c.Customer), revision, sealed, profileKept.Milliseconds())
	if err != nil {
		return err
	}
	if text(answer[0]) != "ok" {
		return &ConnectionChangedError{c.Customer, number(text(answer[1]))}
	}
	return l.noteConnection(ctx, c.Customer)
}

// openProfile opens a stored profile. An unreadable one counts as missing: exports then make the
// safest choice.
func (l *base) openProfile(customer, sealed string) StoredProfile {
	var kept StoredProfile
	if sealed == "" {
		return kept
	}
	data, err := l.keys.Open([]byte(sealed), profileKey(customer))
	if err != nil || json.Unmarshal(data, &kept) != nil {
		return StoredProfile{}
	}
	return kept
}

// StoredProfiles reads the profiles of customers whose connection is not in the store. The result
// leaves out customers without one.
func (l *Connections) StoredProfiles(ctx context.Context, customers ...string) (map[string]StoredProfile, error) {
	found := map[string]StoredProfile{}
	for from := 0; from < len(customers); from += connectionPage {
		page := customers[from:min(from+connectionPage, len(customers))]
		read := make([]*redis.StringCmd, len(page))
		_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, customer := range page {
				read[i] = p.Get(ctx, profileKey(customer))
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return found, fmt.Errorf("read tenant profiles: %w", err)
		}
		for i, customer := range page {
			if kept := l.openProfile(customer, read[i].Val()); kept.Settings != "" {
				found[customer] = kept
			}
		}
	}
	return found, nil
}

// WithProfile returns a connection from the file with its current profile from the store.
func (l *Connections) WithProfile(ctx context.Context, c Connection) (Connection, error) {
	kept, err := l.Connections.StoredProfiles(ctx, c.Customer)
	if err == nil {
		c.Profile = l.keys.ProfileFor(c, kept[c.Customer])
	}
	return c, err
}
