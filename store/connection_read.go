package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// StoredConnection is a customer's connection as stored.
type StoredConnection struct {
	Connection

	// Revision increases with each change of the settings.
	Revision int64           `json:"revision"`
	State    ConnectionState `json:"state"`
	// Reason is the code of the check or rejection that led to the state.
	Reason Reason    `json:"reason,omitempty"`
	Since  time.Time `json:"since,omitzero"`   // of the current state
	Edited time.Time `json:"edited,omitzero"`  // last change of the settings
	Pause  *Pause    `json:"pause,omitempty"`  // in force
	Sealed bool      `json:"sealed,omitempty"` // this keyset cannot open the settings

	// Forged means another writer changed the settings in Redis, for example by restoring older
	// ones. They count as sealed.
	Forged bool `json:"forged,omitempty"`

	base ConnectionState // ignoring a pause
}

// Below returns the state the connection has once its pause ends.
func (c StoredConnection) Below() ConnectionState { return c.base }

// sealedConnection is the sealed record: the settings with the password.
type sealedConnection struct {
	Connection

	Password string `json:"password"`
	// Revision of these settings. Earlier versions did not seal it.
	Revision int64 `json:"revision,omitempty"`
	// SealedAt is when the settings were saved, in ms by the Redis clock.
	SealedAt int64 `json:"sealed_at,omitempty"`
}

// seenConnections remembers the latest settings of each customer that this process has seen, so
// that it detects older ones written back.
type seenConnections struct {
	mu    sync.Mutex
	until map[string]int64 // ms by the Redis clock
}

// after returns at, or the latest time seen for the customer if that is later: another server's
// clock may be behind.
func (s *seenConnections) after(customer string, at int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(at, s.until[customer])
}

// see records the time of settings.
func (s *seenConnections) see(customer string, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = map[string]int64{}
	}
	s.until[customer] = max(at, s.until[customer])
}

// ErrNoConnection means the store has no connection for the customer.
var ErrNoConnection = errors.New("the customer has no stored connection")

// Get reads a customer's connection. It returns ErrNoConnection if there never was one. A
// removed connection has no settings. If this keyset cannot open the settings, the rest is returned
// with ErrSealed.
func (l *Connections) Get(ctx context.Context, customer string) (StoredConnection, error) {
	found, err := l.Connections.GetAll(ctx, customer)
	if err != nil {
		return StoredConnection{}, err
	}
	c, ok := found[customer]
	if !ok {
		return StoredConnection{Connection: Connection{Customer: customer}, State: ConnectionAbsent, base: ConnectionAbsent}, ErrNoConnection
	}
	if c.Sealed {
		return c, fmt.Errorf("connection of customer %s: %w", customer, ErrSealed)
	}
	return c, nil
}

// readConnection assembles a connection and its current pause. seen is the time of the latest
// settings this process had seen before the read began; other readers may see later ones in the
// meantime.
func (l *base) readConnection(customer string, fields map[string]string, pause *Pause, seen int64) StoredConnection {
	c := StoredConnection{
		Connection: Connection{Customer: customer}, Revision: number(fields["rev"]), Reason: Reason(fields["rs"]),
		base: ConnectionState(fields["st"]), Since: millis(fields["since"]),
	}
	if fields["at"] != "" {
		c.Edited = millis(fields["at"])
	}
	c.State = c.base
	if pause != nil && c.base.Kept() {
		c.State, c.Since, c.Pause = ConnectionPaused, pause.At, pause
	}
	if !c.base.Kept() {
		if c.base == ConnectionRemoved {
			l.connections.see(customer, c.Since.UnixMilli())
		}
		return c
	}
	data, err := l.keys.Open([]byte(fields["d"]), connectionKey(customer))
	var opened sealedConnection
	if err != nil || json.Unmarshal(data, &opened) != nil {
		c.Sealed, c.Forged = true, errors.Is(err, ErrForged)
		return c
	}
	// Settings of earlier versions have no time, so they may be of any age.
	if opened.Revision != 0 && opened.Revision != c.Revision || opened.SealedAt < seen {
		c.Sealed, c.Forged = true, true
		return c
	}
	l.connections.see(customer, opened.SealedAt)
	c.Connection = opened.Connection
	c.Customer, c.Password = customer, Secret(opened.Password)
	return c
}

// sealConnection seals settings for the revision they are about to get.
func (l *base) sealConnection(ctx context.Context, c Connection, revision int64) ([]byte, error) {
	now, err := l.nowAt(ctx, connectionKey(c.Customer))
	if err != nil {
		return nil, err
	}
	at := l.connections.after(c.Customer, now.UnixMilli())
	data, err := json.Marshal(sealedConnection{c, string(c.Password), revision, at}) //nolint:gosec // sealed below
	if err != nil {
		return nil, fmt.Errorf("encode connection: %w", err)
	}
	return l.keys.Seal(data, connectionKey(c.Customer))
}

// ConnectionEvent is one entry of a connection's history.
type ConnectionEvent struct {
	At  time.Time `json:"at"`
	Who string    `json:"who"`
	Why string    `json:"why,omitempty"`
	// What is "added", "edited", "removed", "moved", "paused" or "resumed"; or "sealed" for an
	// entry that this keyset cannot open.
	What string          `json:"what"`
	From ConnectionState `json:"from"`
	To   ConnectionState `json:"to"`
	// Reason is the code of a check or rejection.
	Reason Reason `json:"reason,omitempty"`
	// Settings lists the names of the changed settings, never their values.
	Settings []string `json:"settings,omitempty"`
	Revision int64    `json:"revision,omitempty"`
}

// keptConnectionEvents is how many entries a history keeps. connection.lua has the same number.
const keptConnectionEvents = 100

// History lists the last 100 entries of a connection's history, newest first. The history
// outlives the connection.
func (l *Connections) History(ctx context.Context, customer string) ([]ConnectionEvent, error) {
	sealed, err := l.redis.LRange(ctx, historyKey(customer), 0, keptConnectionEvents-1).Result()
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	events := make([]ConnectionEvent, len(sealed))
	for i, item := range sealed {
		data, err := l.keys.Open([]byte(item), historyKey(customer))
		if err != nil {
			events[i].What = "sealed" // with a lost key: the rest is still useful
			continue
		}
		if err := json.Unmarshal(data, &events[i]); err != nil {
			return nil, fmt.Errorf("history of the connection of customer %s is not readable", customer)
		}
	}
	return events, nil
}
