package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// State is where an export stands. docs/state-machine.md draws the chart.
type State string

// The states. An export in Done, Skipped or Cancelled has ended; Dead waits for
// a person; the others are moving.
const (
	Queued    State = "queued"
	Claimed   State = "claimed"
	Creating  State = "creating" // intent: POST of the person
	Created   State = "created"  // the person is in iCIMS and known
	Placing   State = "placing"  // intent: POST of the workflow
	Deferred  State = "deferred"
	Retrying  State = "retrying"
	Unknown   State = "unknown" // a write whose answer was lost
	Done      State = "done"
	Skipped   State = "skipped"
	Dead      State = "dead"
	Cancelled State = "cancelled"
)

// States lists all states in the order of an export's life.
func States() []State {
	return []State{Queued, Claimed, Creating, Created, Placing, Deferred, Retrying, Unknown, Done, Skipped, Dead, Cancelled}
}

// moves is the state machine: every legal move. The scripts carry the same
// table, made from this one. A claim is legal from every moving state, since it
// is also how an export is taken over from a worker that died.
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

// CanMove reports whether the state machine has a move from one state to the
// other.
func CanMove(from, to State) bool {
	return slices.Contains(moves[from], to)
}

// Ended reports whether nothing more will happen to an export in this state by
// itself.
func (s State) Ended() bool { return s == Done || s == Skipped || s == Cancelled || s == Dead }

// luaMoves renders the table for the scripts.
func luaMoves() string { return luaTable(moves) }

func luaTable[S ~string](moves map[S][]S) string {
	froms := slices.Sorted(maps.Keys(moves))
	var b strings.Builder
	// Strings rather than nested tables: the table is built at every call.
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
