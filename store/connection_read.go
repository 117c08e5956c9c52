package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// StoredConnection is a customer's connection as the store keeps it.
type StoredConnection struct {
	Connection

	// Revision grows with each change of the settings.
	Revision int64           `json:"revision"`
	State    ConnectionState `json:"state"`
	// Reason is why it is in that state: the code of a check or of a refusal.
	Reason Reason    `json:"reason,omitempty"`
	Since  time.Time `json:"since,omitzero"`   // in that state
	Edited time.Time `json:"edited,omitzero"`  // last change of the settings
	Pause  *Pause    `json:"pause,omitempty"`  // in force
	Sealed bool      `json:"sealed,omitempty"` // this keyset cannot open the settings

	// Forged: the settings were written to Redis by somebody else, such as older ones. Then
	// they count as sealed.
	Forged bool `json:"forged,omitempty"`

	base ConnectionState // the state below a pause
}

// Below is the state that the connection has once its pause is over.
func (c StoredConnection) Below() ConnectionState { return c.base }

// sealedConnection is what is sealed: the settings with the password.
type sealedConnection struct {
	Connection

	Password string `json:"password"`
	// Revision is the one that these settings have; earlier versions did not seal it.
	Revision int64 `json:"revision,omitempty"`
	// SealedAt is when they were entered, in ms by Redis's clock.
	SealedAt int64 `json:"sealed_at,omitempty"`
}

// seenConnections remembers how late the settings of customers were that this process
// has seen, to know older ones that are put back.
type seenConnections struct {
	mu    sync.Mutex
	until map[string]int64 // ms by Redis's clock
}

// after is a time that is not before any that was seen: another server's clock may be
// behind.
func (s *seenConnections) after(customer string, at int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(at, s.until[customer])
}

// see notes settings of a time.
func (s *seenConnections) see(customer string, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = map[string]int64{}
	}
	s.until[customer] = max(at, s.until[customer])
}

// ErrNoConnection: the store has no connection of the customer.
var ErrNoConnection = errors.New("the customer has no stored connection")

// Connection reads a customer's connection. It returns ErrNoConnection where there
// never was one; one that was removed is returned without settings. Where this
// keyset cannot open it the rest is returned together with ErrSealed.
func (l *Ledger) Connection(ctx context.Context, customer string) (StoredConnection, error) {
	found, err := l.ConnectionsOf(ctx, customer)
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

// readConnection puts together what is kept of a connection, and its pause in force. seen is how
// late the settings were that this process had seen before it began to read: another reader may
// see later ones meanwhile.
func (l *Ledger) readConnection(customer string, fields map[string]string, pause *Pause, seen int64) StoredConnection {
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
	// Settings of earlier versions are as old as can be.
	if opened.Revision != 0 && opened.Revision != c.Revision || opened.SealedAt < seen {
		c.Sealed, c.Forged = true, true
		return c
	}
	l.connections.see(customer, opened.SealedAt)
	c.Connection = opened.Connection
	c.Customer, c.Password = customer, Secret(opened.Password)
	return c
}

// sealConnection seals settings for the revision that they will have.
func (l *Ledger) sealConnection(ctx context.Context, c Connection, revision int64) ([]byte, error) {
	now, err := l.nowAt(ctx, connectionKey(c.Customer))
	if err != nil {
		return nil, err
	}
	at := l.connections.after(c.Customer, now.UnixMilli())
	data, err := json.Marshal(sealedConnection{c, string(c.Password), revision, at}) //nolint:gosec // to be sealed below
	if err != nil {
		return nil, fmt.Errorf("encode connection: %w", err)
	}
	return l.keys.Seal(data, connectionKey(c.Customer))
}

// ConnectionEvent is one thing that happened to a connection.
type ConnectionEvent struct {
	At  time.Time `json:"at"`
	Who string    `json:"who"`
	Why string    `json:"why,omitempty"`
	// What is "added", "edited", "removed", "moved", "paused" or "resumed"; "sealed" for
	// an entry that this keyset cannot open, of which nothing else is known.
	What string          `json:"what"`
	From ConnectionState `json:"from"`
	To   ConnectionState `json:"to"`
	// Reason is the code of a check or of a refusal.
	Reason Reason `json:"reason,omitempty"`
	// Settings names those that were changed, never their values.
	Settings []string `json:"settings,omitempty"`
	Revision int64    `json:"revision,omitempty"`
}

// keptConnectionEvents is how many entries a history keeps; the script has the same.
const keptConnectionEvents = 100

// ConnectionHistory lists what happened to a customer's connection, the latest
// first: the last 100 entries. It outlives the connection.
func (l *Ledger) ConnectionHistory(ctx context.Context, customer string) ([]ConnectionEvent, error) {
	sealed, err := l.redis.LRange(ctx, historyKey(customer), 0, keptConnectionEvents-1).Result()
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	events := make([]ConnectionEvent, len(sealed))
	for i, item := range sealed {
		data, err := l.keys.Open([]byte(item), historyKey(customer))
		if err != nil {
			events[i].What = "sealed" // with a key that was lost: the rest is worth showing
			continue
		}
		if err := json.Unmarshal(data, &events[i]); err != nil {
			return nil, fmt.Errorf("history of the connection of customer %s is not readable", customer)
		}
	}
	return events, nil
}
