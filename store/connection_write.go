package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

var connectionScript = newScript(evenWhenFull + luaConnectionMoves() + scriptText("connection"))

// ErrConnectionExists: the customer already has a connection; it can be edited.
var ErrConnectionExists = errors.New("the customer already has a connection")

// ConnectionChangedError: somebody else has changed the connection since it was
// read.
type ConnectionChangedError struct {
	Customer string
	Revision int64 // that it has now
}

func (e *ConnectionChangedError) Error() string {
	return fmt.Sprintf("the connection of customer %s was changed meanwhile and has revision %d now", e.Customer, e.Revision)
}

// AddConnection enters a customer's connection. Its settings are kept as they are
// given, without defaults. It returns ErrConnectionExists where there is one.
func (l *Ledger) AddConnection(ctx context.Context, c Connection, who, why string) (StoredConnection, error) {
	if !ValidCustomer(c.Customer) || c.Password == "" {
		return StoredConnection{}, errors.New("a connection needs a customer id and a password")
	}
	old, err := l.Connection(ctx, c.Customer)
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
	// Listed before it is there, so that none is there that is not listed.
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
	return l.Connection(ctx, c.Customer)
}

// EditConnection replaces the settings of a customer's connection that was read at
// a revision. An empty password keeps the old one. What verification has found holds
// no longer, unless only the limits or the like have changed. Errors:
// *ConnectionChangedError, ErrNoConnection, and ErrSealed where the old password is
// to be kept and cannot be opened.
func (l *Ledger) EditConnection(ctx context.Context, c Connection, revision int64, who, why string) (StoredConnection, error) {
	for {
		old, err := l.Connection(ctx, c.Customer)
		switch {
		case errors.Is(err, ErrSealed) && c.Password != "": // then all of it is replaced
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
			continue // its state has moved: that is no other editor
		}
		if err != nil {
			return old, err
		}
		return l.Connection(ctx, c.Customer)
	}
}

// verifiedAs reports whether what was verified holds for other settings as well.
func (c StoredConnection) verifiedAs(other Connection) bool {
	return c.decides() == other.decides()
}

// RemoveConnection erases settings and credentials of a customer's connection that
// was read at a revision; 0 for any, and forgets the list of jobs. Its history stays.
// Exports and markers are left alone, see CancelCustomer and EraseMarkers.
func (l *Ledger) RemoveConnection(ctx context.Context, customer string, revision int64, who, why string) error {
	err := l.moveConnection(ctx, customer, ConnectionMove{To: ConnectionRemoved, Revision: revision, Who: who, Why: why}, "removed")
	if err != nil {
		return err
	}
	return l.ForgetJobs(ctx, customer)
}

// ConnectionMove moves a connection to another state.
type ConnectionMove struct {
	To ConnectionState
	// Reason is the code of the check or of the refusal that speaks for it.
	Reason Reason
	// Revision is that of the settings that the move is about, so that a verdict on
	// the old ones does not hit those entered since; 0 for any.
	Revision int64
	Who, Why string
}

// MoveConnection moves a connection to another state, or gives its state another
// reason. While it is paused the new state shows when the pause is over. A move to
// where it stands is no move. Errors: ErrNoConnection, *ConnectionMoveError and
// *ConnectionChangedError.
func (l *Ledger) MoveConnection(ctx context.Context, customer string, m ConnectionMove) error {
	return l.moveConnection(ctx, customer, m, "moved")
}

func (l *Ledger) moveConnection(ctx context.Context, customer string, m ConnectionMove, what string) error {
	for {
		old, err := l.Connection(ctx, customer)
		switch {
		case err != nil && !errors.Is(err, ErrSealed):
			return err
		case m.To == ConnectionPaused: // what Pause is for
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
			continue // the next look tells whether the move still makes sense
		}
		return err
	}
}

// tellPause notes in the history of a connection that it was paused or resumed. A
// customer without one in the store has no history.
func (l *Ledger) tellPause(ctx context.Context, customer, who, why string, paused bool) error {
	for {
		old, err := l.Connection(ctx, customer)
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
	document []byte // nil: as it is
	expect   int64  // revision
	event    ConnectionEvent
}

// changeConnection makes one change to the connection as it was read, and tells all
// workers.
func (l *Ledger) changeConnection(ctx context.Context, old StoredConnection, c connectionChange) error {
	customer := old.Customer
	c.event.At = time.Now()
	if c.event.From == "" {
		c.event.From, c.event.To = old.base, c.to
		if c.to == ConnectionRemoved {
			c.event.From = old.State // a pause does not outlive it
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
