package store

import (
	"fmt"
	"slices"
)

// ConnectionState is the state of a customer's connection. docs/connections.md has the chart.
type ConnectionState string

// The states of a connection. ConnectionAbsent means the customer has none in the store.
const (
	ConnectionAbsent    ConnectionState = "absent"
	ConnectionNew       ConnectionState = "new"                  // added or changed, not verified since
	ConnectionVerifying ConnectionState = "verifying"            // verification is running
	ConnectionConnected ConnectionState = "connected"            // all checks passed
	ConnectionDegraded  ConnectionState = "degraded"             // usable, but a check failed
	CredentialsRejected ConnectionState = "credentials_rejected" // iCIMS rejects the user name or password
	AccessDenied        ConnectionState = "access_denied"        // iCIMS rejects the user or this service's address
	ConnectionPaused    ConnectionState = "paused"               // an operator suspended the calls
	ConnectionRemoved   ConnectionState = "removed"              // settings and credentials are erased
)

// ConnectionStates lists all states in the order of a connection's life.
func ConnectionStates() []ConnectionState {
	return []ConnectionState{
		ConnectionAbsent, ConnectionNew, ConnectionVerifying, ConnectionConnected, ConnectionDegraded,
		CredentialsRejected, AccessDenied, ConnectionPaused, ConnectionRemoved,
	}
}

// connectionMoves is the state machine: all legal transitions. The Lua script gets a table
// generated from it. A pause overlays the state and is not stored as one, so ConnectionPaused
// returns to whatever the state is by then.
var connectionMoves = map[ConnectionState][]ConnectionState{
	ConnectionAbsent:    {ConnectionNew},
	ConnectionNew:       {ConnectionVerifying, CredentialsRejected, AccessDenied, ConnectionPaused, ConnectionRemoved},
	ConnectionVerifying: {ConnectionNew, ConnectionConnected, ConnectionDegraded, CredentialsRejected, AccessDenied, ConnectionPaused, ConnectionRemoved},
	ConnectionConnected: {ConnectionNew, ConnectionVerifying, ConnectionDegraded, CredentialsRejected, AccessDenied, ConnectionPaused, ConnectionRemoved},
	ConnectionDegraded:  {ConnectionNew, ConnectionVerifying, ConnectionConnected, CredentialsRejected, AccessDenied, ConnectionPaused, ConnectionRemoved},
	CredentialsRejected: {ConnectionNew, ConnectionVerifying, ConnectionConnected, AccessDenied, ConnectionPaused, ConnectionRemoved},
	AccessDenied:        {ConnectionNew, ConnectionVerifying, ConnectionConnected, CredentialsRejected, ConnectionPaused, ConnectionRemoved},
	ConnectionPaused:    {ConnectionNew, ConnectionVerifying, ConnectionConnected, ConnectionDegraded, CredentialsRejected, AccessDenied, ConnectionRemoved},
	ConnectionRemoved:   {ConnectionNew},
}

// CanMoveConnection reports whether a connection may change from one state to another.
func CanMoveConnection(from, to ConnectionState) bool {
	return slices.Contains(connectionMoves[from], to)
}

// Kept reports whether settings and credentials exist in this state.
func (s ConnectionState) Kept() bool { return s != ConnectionAbsent && s != ConnectionRemoved }

// luaConnectionMoves renders the table for the script.
func luaConnectionMoves() string { return luaTable(connectionMoves) }

// ConnectionMoveError rejects an illegal transition.
type ConnectionMoveError struct {
	Customer string
	From, To ConnectionState
}

func (e *ConnectionMoveError) Error() string {
	return fmt.Sprintf("the connection of customer %s is %s and cannot become %s", e.Customer, e.From, e.To)
}
