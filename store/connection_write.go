package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/seekout/icims-export/tasks/input"
)

var connectionScript = newScript(evenWhenFull + luaConnectionMoves() + scriptText("connection"))

// ErrConnectionExists means the customer already has a connection.
var ErrConnectionExists = errors.New("the customer already has a connection")

// ConnectionChangedError means the connection was changed after it was read.
type ConnectionChangedError struct {
	Customer string
	Revision int64 // current revision
}

func (e *ConnectionChangedError) Error() string {
	return fmt.Sprintf("the connection of customer %s was changed meanwhile and has revision %d now", e.Customer, e.Revision)
}

// Add creates a customer's connection. It stores the settings as given, without defaults.
// It returns ErrConnectionExists if there is one.
func (l *Connections) Add(ctx context.Context, c Connection, who, why string) (StoredConnection, error) {
	if !input.ValidCustomer(c.Customer) || c.Password == "" {
		return StoredConnection{}, errors.New("a connection needs a customer id and a password")
	}
	old, err := l.Connections.Get(ctx, c.Customer)
	switch {
	case err == nil && old.State.Kept(), errors.Is(err, ErrSealed):
		return old, ErrConnectionExists
	case err != nil && !errors.Is(err, ErrNoConnection):
		return StoredConnection{}, err
	}
	document, err := l.sealConnection(ctx, c, old.Revision+1)
	if err != nil {
		return StoredConnection{}, err
	}
	// List it before it exists, so that every connection is listed.
	if err := l.noteConnection(ctx, c.Customer); err != nil {
		return StoredConnection{}, err
	}
	err = l.changeConnection(ctx, old, connectionChange{
		to: ConnectionNew, document: document, expect: old.Revision,
		event: ConnectionEvent{Who: who, Why: why, What: "added", Revision: old.Revision + 1},
	})
	if changed, ok := errors.AsType[*ConnectionChangedError](err); ok && changed.Revision > old.Revision {
		return old, ErrConnectionExists
	}
	if err != nil {
		return StoredConnection{}, err
	}
	return l.Connections.Get(ctx, c.Customer)
}

// Edit replaces the settings of a customer's connection that was read at a revision. An
// empty password keeps the old one. The connection must be verified again, unless only limits and
// the like changed. Errors: *ConnectionChangedError, ErrNoConnection, and ErrSealed if the old
// password must be kept and cannot be opened.
func (l *Connections) Edit(ctx context.Context, c Connection, revision int64, who, why string) (StoredConnection, error) {
	for {
		old, err := l.Connections.Get(ctx, c.Customer)
		switch {
		case errors.Is(err, ErrSealed) && c.Password != "": // everything is replaced
		case err != nil:
			return old, err
		case !old.base.Kept():
			return old, ErrNoConnection
		}
		if old.Revision != revision {
			return old, &ConnectionChangedError{c.Customer, old.Revision}
		}
		if c.Password == "" {
			c.Password = old.Password
		}
		settings := ChangedSettings(old.Connection, c)
		if len(settings) == 0 && !old.Sealed {
			return old, nil
		}
		document, err := l.sealConnection(ctx, c, old.Revision+1)
		if err != nil {
			return old, err
		}
		to := ConnectionNew
		if old.verifiedAs(c) {
			to = old.base
		}
		err = l.changeConnection(ctx, old, connectionChange{
			to: to, document: document, expect: revision,
			event: ConnectionEvent{Who: who, Why: why, What: "edited", Settings: settings, Revision: revision + 1},
		})
		if changed, ok := errors.AsType[*ConnectionChangedError](err); ok && changed.Revision == revision {
			continue // only its state changed, not its settings
		}
		if err != nil {
			return old, err
		}
		return l.Connections.Get(ctx, c.Customer)
	}
}

// verifiedAs reports whether the verification also covers other settings.
func (c StoredConnection) verifiedAs(other Connection) bool {
	return c.verifiedSettings() == other.verifiedSettings()
}

// Remove erases the settings and credentials of a customer's connection that was read at
// a revision (0 for any), and the job list. The history stays. Exports and markers stay too, see
// CancelCustomer and EraseMarkers.
func (l *Connections) Remove(ctx context.Context, customer string, revision int64, who, why string) error {
	err := l.moveConnection(ctx, customer, ConnectionMove{To: ConnectionRemoved, Revision: revision, Who: who, Why: why}, "removed")
	if err != nil {
		return err
	}
	return l.JobLists.Delete(ctx, customer)
}

// ConnectionMove is a transition of a connection to another state.
type ConnectionMove struct {
	To ConnectionState
	// Reason is the code of the check or rejection behind it.
	Reason Reason
	// Revision of the settings the transition refers to, so that a result for old settings does not
	// affect newer ones; 0 for any.
	Revision int64
	Who, Why string
}

// Move changes the state of a connection, or the reason for its state. While the
// connection is paused, the new state shows when the pause ends. A transition to the current state
// has no effect. Errors: ErrNoConnection, *ConnectionMoveError and *ConnectionChangedError.
func (l *Connections) Move(ctx context.Context, customer string, m ConnectionMove) error {
	return l.moveConnection(ctx, customer, m, "moved")
}

func (l *base) moveConnection(ctx context.Context, customer string, m ConnectionMove, what string) error {
	for {
		old, err := l.Connections.Get(ctx, customer)
		switch {
		case err != nil && !errors.Is(err, ErrSealed):
			return err
		case m.To == ConnectionPaused: // use Pause instead
			return &ConnectionMoveError{customer, old.base, m.To}
		case m.Revision != 0 && m.Revision != old.Revision:
			return &ConnectionChangedError{customer, old.Revision}
		case old.base == m.To && old.Reason == m.Reason:
			return nil
		}
		revision := old.Revision
		if m.To == ConnectionRemoved {
			revision++
		}
		err = l.changeConnection(ctx, old, connectionChange{
			to: m.To, reason: m.Reason, expect: old.Revision,
			event: ConnectionEvent{Who: m.Who, Why: m.Why, What: what, Reason: m.Reason, Revision: revision},
		})
		if _, ok := errors.AsType[*ConnectionChangedError](err); ok {
			continue // the next read shows whether the transition still applies
		}
		return err
	}
}

// notePause adds a pause or resume to the connection's history. A customer without a connection in
// the store has no history.
func (l *base) notePause(ctx context.Context, customer, who, why string, paused bool) error {
	for {
		old, err := l.Connections.Get(ctx, customer)
		switch {
		case errors.Is(err, ErrNoConnection), err == nil && !old.base.Kept():
			return nil
		case err != nil && !errors.Is(err, ErrSealed):
			return err
		}
		change := connectionChange{
			to: ConnectionPaused, reason: old.Reason, expect: old.Revision,
			event: ConnectionEvent{Who: who, Why: why, What: "paused", From: old.base, To: ConnectionPaused, Revision: old.Revision},
		}
		if !paused {
			change.to = old.base
			change.event.What, change.event.From, change.event.To = "resumed", ConnectionPaused, old.base
		}
		err = l.changeConnection(ctx, old, change)
		if _, ok := errors.AsType[*ConnectionChangedError](err); !ok {
			return err
		}
	}
}

type connectionChange struct {
	to       ConnectionState
	reason   Reason
	document []byte // nil: unchanged
	expect   int64  // revision
	event    ConnectionEvent
}

// changeConnection applies one change to the connection as it was read, and notifies all workers.
func (l *base) changeConnection(ctx context.Context, old StoredConnection, c connectionChange) error {
	customer := old.Customer
	c.event.At = time.Now()
	if c.event.From == "" {
		c.event.From, c.event.To = old.base, c.to
		if c.to == ConnectionRemoved {
			c.event.From = old.State // a pause does not outlive the connection
		}
	}
	data, err := json.Marshal(c.event)
	if err != nil {
		return fmt.Errorf("encode history: %w", err)
	}
	entry, err := l.keys.Seal(data, historyKey(customer))
	if err != nil {
		return err
	}
	answer, err := l.run(ctx, connectionScript, connectionKey(customer),
		c.expect, string(old.base), string(c.to), c.document, string(c.reason), entry)
	if err != nil {
		return err
	}
	switch text(answer[0]) {
	case "changed":
		return &ConnectionChangedError{customer, number(text(answer[1]))}
	case "illegal":
		return &ConnectionMoveError{customer, ConnectionState(text(answer[1])), c.to}
	}
	return l.noteConnection(ctx, customer)
}
