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

// profileKept is for how long a profile is kept that no verification renews. That of a connection of
// the store goes with the connection; of one that is taken out of the file nobody is told.
const profileKept = 366 * 24 * time.Hour

// KeptProfile is a tenant profile as it is kept: with the settings that it was found with.
type KeptProfile struct {
	Profile TenantProfile `json:"profile"`
	// Settings is a keyed hash of them.
	Settings string `json:"settings"`
}

// decides is the connection without the settings that leave a verification's findings as they are.
func (c Connection) decides() Connection {
	c.Limits, c.DummyDomain, c.Capabilities = Limits{}, "", ""
	c.Profile, c.Stored = TenantProfile{}, false
	return c
}

// settingsHash tells the settings that decide what a verification finds from others.
func (k *Keyset) settingsHash(c Connection) string {
	parts := []string{string(c.Password)}
	c.WithDefaults().decides().Settings(func(name, value string) { parts = append(parts, name, value) })
	return k.hash("settings", parts...)
}

// ProfileFor is what of a kept profile holds for a connection. Other settings keep what is known of
// iCIMS whatever account is used: the test candidate, and how long searches lag behind.
func (k *Keyset) ProfileFor(c Connection, kept KeptProfile) TenantProfile {
	if kept.Settings == "" {
		return TenantProfile{}
	}
	if kept.Settings != k.settingsHash(c) {
		return TenantProfile{TestPerson: kept.Profile.TestPerson, TestJob: kept.Profile.TestJob, SearchLag: kept.Profile.SearchLag}
	}
	return kept.Profile
}

// SaveProfile keeps what a verification has found out with a connection, and tells the workers. The
// revision is that of the connection that was verified, 0 for one of the file: it returns
// *ConnectionChangedError where the store's has another by now.
func (l *Ledger) SaveProfile(ctx context.Context, c Connection, revision int64, p TenantProfile) error {
	key := profileKey(c.Customer)
	sealed, err := l.sealJSON(KeptProfile{Profile: p, Settings: l.keys.settingsHash(c)}, key)
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

// openProfile opens what is kept of a profile. One that does not open is none: exports make the
// safest choice then.
func (l *Ledger) openProfile(customer, sealed string) KeptProfile {
	var kept KeptProfile
	if sealed == "" {
		return kept
	}
	data, err := l.keys.Open([]byte(sealed), profileKey(customer))
	if err != nil || json.Unmarshal(data, &kept) != nil {
		return KeptProfile{}
	}
	return kept
}

// KeptProfiles reads the profiles of customers whose connection is not the store's. Customers without
// one are missing.
func (l *Ledger) KeptProfiles(ctx context.Context, customers ...string) (map[string]KeptProfile, error) {
	found := map[string]KeptProfile{}
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

// WithProfile returns a connection of the file with its profile as the store has it now.
func (l *Ledger) WithProfile(ctx context.Context, c Connection) (Connection, error) {
	kept, err := l.KeptProfiles(ctx, c.Customer)
	if err == nil {
		c.Profile = l.keys.ProfileFor(c, kept[c.Customer])
	}
	return c, err
}
