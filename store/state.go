package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// State is the state of an export. docs/state-machine.md draws the chart.
type State string

// The states. Done, Skipped and Cancelled are final; Dead waits for an operator; in all others, the
// export is in progress.
const (
	Queued    State = "queued"
	Claimed   State = "claimed"
	Creating  State = "creating" // intent: POST of the person
	Created   State = "created"  // the person is in iCIMS and known
	Placing   State = "placing"  // intent: POST of the workflow
	Deferred  State = "deferred"
	Retrying  State = "retrying"
	Unknown   State = "unknown" // a write whose response was lost
	Done      State = "done"
	Skipped   State = "skipped"
	Dead      State = "dead"
	Cancelled State = "cancelled"
)

// States lists all states in the order of an export's life.
func States() []State {
	return []State{Queued, Claimed, Creating, Created, Placing, Deferred, Retrying, Unknown, Done, Skipped, Dead, Cancelled}
}

// moves is the state machine: all legal transitions. The scripts get a table generated from it. A
// claim is legal from every state in progress, because it also takes over the export of a crashed
// worker.
var moves = map[State][]State{
	Queued:   {Claimed, Cancelled},
	Claimed:  {Claimed, Creating, Created, Placing, Done, Skipped, Deferred, Retrying, Unknown, Dead},
	Creating: {Claimed, Created, Placing, Done, Deferred, Retrying, Unknown, Dead},
	Created:  {Claimed, Placing, Done, Deferred, Retrying, Dead},
	Placing:  {Claimed, Done, Deferred, Retrying, Unknown, Dead},
	Deferred: {Claimed, Cancelled},
	Retrying: {Claimed, Cancelled},
	Unknown:  {Claimed},
	Dead:     {Queued, Cancelled},
}

// CanMove reports whether the state machine allows a transition.
func CanMove(from, to State) bool {
	return slices.Contains(moves[from], to)
}

// Ended reports whether an export in this state stays as it is unless an operator acts.
func (s State) Ended() bool { return s == Done || s == Skipped || s == Cancelled || s == Dead }

// luaMoves renders the table for the scripts.
func luaMoves() string { return luaTable(moves) }

func luaTable[S ~string](moves map[S][]S) string {
	froms := slices.Sorted(maps.Keys(moves))
	var b strings.Builder
	// Use strings rather than nested tables: the table is built on every call.
	b.WriteString("local moves = {\n")
	for _, from := range froms {
		fmt.Fprintf(&b, "  %s = ' ", from)
		for _, to := range moves[from] {
			fmt.Fprintf(&b, "%s ", to)
		}
		b.WriteString("',\n")
	}
	b.WriteString("}\n")
	return b.String()
}
