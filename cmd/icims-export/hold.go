package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// laneState is how it stands with a customer's exports, in a word.
type laneState string

const (
	laneIdle    laneState = "idle"    // there is no work
	laneOpen    laneState = "open"    // exports are being worked on
	laneWaiting laneState = "waiting" // for a worker
	laneLater   laneState = "later"   // all that there is waits for a time of its own
	lanePaused  laneState = "paused"  // by somebody
	laneClosed  laneState = "closed"  // by what iCIMS said, or the day's calls are used up
	laneFailing laneState = "failing" // iCIMS keeps failing, so that calls are suspended
)

var stateColours = map[laneState]colour{
	laneIdle: dim, laneOpen: green, laneWaiting: yellow, laneLater: yellow, lanePaused: cyan, laneClosed: red, laneFailing: red,
}

// hold is what keeps a customer's exports, if anything does.
type hold struct {
	State  laneState    `json:"state"`
	Reason store.Reason `json:"reason,omitempty"`
	By     string       `json:"by,omitempty"`
	Why    string       `json:"why,omitempty"`
	Until  time.Time    `json:"until,omitzero"`
	// BulkOnly: small batches go on.
	BulkOnly bool `json:"bulk_only,omitempty"`
}

// webUI stands for whoever pauses a queue there, of whom asynq keeps nothing.
const webUI = "the queue's web UI"

// holdOf says what keeps a customer's exports: the strongest of all reasons.
func holdOf(s store.Standing, q tasks.QueueStates) hold {
	pending := q.Bulk.Pending + q.Express.Pending
	switch {
	case s.Pause != nil:
		return hold{State: lanePaused, Reason: store.ReasonPaused, By: cmp.Or(s.Pause.By, "an operator"), Why: s.Pause.Why, Until: s.Pause.Until}
	case q.Bulk.Paused && q.Express.Paused:
		return hold{State: lanePaused, By: webUI}
	case !s.ClosedExpress.Open():
		return hold{State: laneClosed, Reason: s.ClosedExpress.Reason, Until: s.ClosedExpress.Until}
	case isOpen(s.Breakers):
		return hold{State: laneFailing, Reason: store.ReasonBreakerOpen}
	case q.Bulk.Paused:
		return hold{State: lanePaused, By: webUI, BulkOnly: true}
	case q.Express.Paused && q.Express.Pending > 0:
		return hold{State: lanePaused, By: webUI}
	case !s.Closed.Open() && q.Bulk.Pending > 0 && q.Express.Pending == 0:
		return hold{State: laneClosed, Reason: s.Closed.Reason, Until: s.Closed.Until, BulkOnly: true}
	case s.InFlight > 0 || q.Bulk.Active+q.Express.Active > 0:
		return hold{State: laneOpen}
	case pending > 0:
		return hold{State: laneWaiting}
	case q.Bulk.Later()+q.Express.Later() > 0:
		return hold{State: laneLater}
	}
	return hold{State: laneIdle}
}

func isOpen(breakers map[string]string) bool {
	for _, state := range breakers {
		if state != "closed" {
			return true
		}
	}
	return false
}

// keeps reports whether something keeps exports that would otherwise go on.
func (h hold) keeps() bool {
	return h.State == lanePaused || h.State == laneClosed || h.State == laneFailing
}

// text is what the state's word leaves open; empty for nothing.
func (h hold) text() string {
	text := ""
	switch h.State {
	case lanePaused:
		text = "by " + printable(h.By)
		if h.By == webUI {
			text = "in " + webUI
		}
		if h.Reason != "" {
			text += " " + until(h.Until, "until somebody resumes")
		}
		if h.Why != "" {
			text += ": " + printable(h.Why)
		}
	case laneClosed:
		text = h.Reason.Info().Title + ", " + until(h.Until, "nobody knows until when")
	case laneFailing:
		text = h.Reason.Info().Title
	case laneIdle, laneOpen, laneWaiting, laneLater:
	}
	if h.BulkOnly {
		text += "; small batches go on"
	}
	return text
}

// told is the state with what is to be said about it.
func (h hold) told() string {
	switch h.State {
	case lanePaused:
		return "paused " + h.text()
	case laneClosed:
		return "closed, since " + h.text()
	case laneFailing:
		return "failing, so that calls are suspended"
	case laneIdle, laneOpen, laneWaiting, laneLater:
	}
	return string(h.State)
}

// warning is the hold as sentences for whoever waits for the customer's exports.
func (h hold) warning(customer string) string {
	which := "Customer " + customer
	switch {
	case h.By == webUI:
		queue := "queues"
		if h.BulkOnly {
			queue = "queue for large batches"
		}
		return fmt.Sprintf("%s: the %s are paused in %s; icims-export resume %s sets them going.", which, queue, webUI, customer)
	case h.State == lanePaused:
		return fmt.Sprintf("%s is paused %s. Exports wait; icims-export resume %s sets them going.", which, h.text(), customer)
	case h.State == laneClosed || h.State == laneFailing:
		return fmt.Sprintf("%s: %s. %s", which, h.text(), h.Reason.Info().Hint)
	}
	return ""
}

// until renders the end of a wait.
func until(t time.Time, open string) string {
	if t.IsZero() {
		return open
	}
	left := time.Until(t).Round(time.Second)
	if left <= 0 {
		return "until now"
	}
	return fmt.Sprintf("until %s (in %s)", moment(t), span(left))
}

// place is how a customer stands: calls, queues, and what keeps its exports.
type place struct {
	standing store.Standing
	queues   tasks.QueueStates
	hold     hold
}

// readPlaces reads how customers stand, in their order.
func readPlaces(ctx context.Context, client redis.UniversalClient, ledger *store.Ledger, customers ...string) ([]place, error) {
	standings, err := ledger.Standings(ctx, customers...)
	if err != nil {
		return nil, err
	}
	queues, err := tasks.ReadQueueStates(ctx, client, customers...)
	if err != nil {
		return nil, err
	}
	places := make([]place, len(customers))
	for i := range places {
		places[i] = place{standings[i], queues[i], holdOf(standings[i], queues[i])}
	}
	return places, nil
}

// warnings say what keeps exports of the customer from being made: a pause, a
// closed lane, a missing connection, no worker.
func (p *process) warnings(ctx context.Context, ledger *store.Ledger, customer string, at place) []string {
	var warnings []string
	workers, err := readCrew(ctx, ledger)
	known := err == nil
	switch {
	case known && workers.count() == 0:
		warnings = append(warnings, "No worker runs now: exports wait until one is started (icims-export worker).")
	case known && workers.refuse(customer):
		warnings = append(warnings, fmt.Sprintf("No worker has a usable connection for customer %s, so exports wait until one has: add or correct it in their file of connections, and send them SIGHUP.", customer))
	default:
		have, err := stored(ctx, ledger, customer)
		if w := p.connectionWarning(customer); w != "" && err == nil && !have[customer] {
			warnings = append(warnings, w)
		}
	}
	if at.hold.keeps() {
		warnings = append(warnings, at.hold.warning(customer))
	}
	return warnings
}

// connectionWarning says that the customer has no usable connection, as far as the
// file of connections tells that is named here.
func (p *process) connectionWarning(customer string) string {
	if p.settings.Connections == "" {
		return ""
	}
	hosts, err := hostPolicy(p.settings)
	if err != nil {
		return ""
	}
	conns, err := readConnections(p.settings, hosts, p.lookupEnv)
	if _, ok := conns.of(customer); ok {
		return ""
	}
	sentences := []string{fmt.Sprintf("%s has no usable connection for customer %s; unless the workers' own file has one, exports wait.", filepath.Base(p.settings.Connections), customer)}
	if err != nil && len(conns.problems) == 0 {
		sentences = append(sentences, sentence(err.Error()))
	}
	for _, problem := range conns.problems {
		sentences = append(sentences, sentence(problem))
	}
	return strings.Join(sentences, " ")
}

// stored tells which of the customers have a connection in the store.
func stored(ctx context.Context, ledger *store.Ledger, customers ...string) (map[string]bool, error) {
	found, err := ledger.ConnectionsOf(ctx, customers...)
	if err != nil {
		return nil, err
	}
	have := make(map[string]bool, len(found))
	for customer, c := range found {
		have[customer] = c.State.Kept()
	}
	return have, nil
}

// crew are the workers that have been heard of lately.
type crew []store.Peer

func readCrew(ctx context.Context, ledger *store.Ledger) (crew, error) {
	fleet, err := ledger.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	var c crew
	for name, peer := range fleet.Workers {
		if fleet.Lives(name) {
			c = append(c, peer)
		}
	}
	return c, nil
}

func (c crew) count() int { return len(c) }

// refuse reports whether none of the workers has a usable connection for the
// customer. They say so once they have met its work.
func (c crew) refuse(customer string) bool {
	for _, peer := range c {
		if !slices.Contains(peer.Refuses, customer) {
			return false
		}
	}
	return len(c) > 0
}

// limits are those of the customer's connection, where one is set and readable,
// else those of the standard licence.
func (p *process) limits(ctx context.Context, ledger *store.Ledger, customer string) store.Limits {
	conn, _ := p.connection(ctx, ledger, customer)
	return conn.Limits.Or(store.DefaultLimits())
}
