package connections

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// Source keeps the connections in use: those of the store, and of the file for
// customers that the store does not know. Its methods are for one goroutine.
type Source struct {
	ledger *store.Ledger
	hosts  icims.HostPolicy
	log    zerolog.Logger
	apply  func([]store.Connection)

	file    map[string]store.Connection
	stored  map[string]store.StoredConnection
	mark    int64                       // of the store's changes that were read
	told    map[string]string           // by customer: why its connection is left out
	applied map[string]store.Connection // nil: nothing yet
}

// NewSource returns a source that hands the connections in use to apply, all of
// them, whenever they have changed.
func NewSource(ledger *store.Ledger, hosts icims.HostPolicy, log zerolog.Logger, apply func([]store.Connection)) *Source {
	return &Source{
		ledger: ledger, hosts: hosts, log: log, apply: apply,
		file: map[string]store.Connection{}, stored: map[string]store.StoredConnection{}, told: map[string]string{},
	}
}

// SetFile replaces the connections of the file, which have been checked.
func (s *Source) SetFile(connections []store.Connection) {
	clear(s.file)
	for _, c := range connections {
		s.file[c.Customer] = c
	}
	s.merge()
}

// Load reads all connections of the store. Before it nothing is applied.
func (s *Source) Load(ctx context.Context) error {
	_, mark, err := s.ledger.ConnectionChanges(ctx, 0)
	if err != nil {
		return err
	}
	all, err := s.ledger.Connections(ctx)
	if err != nil {
		return err
	}
	// Read before the connections: what changes meanwhile is read again.
	s.mark = mark
	clear(s.stored)
	for _, c := range all {
		s.stored[c.Customer] = c
	}
	if s.applied == nil {
		s.applied = map[string]store.Connection{}
	}
	s.merge()
	return nil
}

// Len is how many connections are in use.
func (s *Source) Len() int { return len(s.applied) }

const (
	// changesEvery is how often changes are looked for whose message was missed.
	changesEvery = 5 * time.Second
	// allEvery is how often all connections are read: a writer may have died before
	// it could tell of its change.
	allEvery = 5 * time.Minute
)

// Run takes up changes until ctx ends, after Load. Each time reread delivers, the
// connections of the file are set to what it brings.
func (s *Source) Run(ctx context.Context, reread <-chan []store.Connection) {
	announced := s.ledger.ConnectionAnnouncements(ctx)
	ended := announced
	defer func() {
		for range ended { // until the subscription has ended
		}
	}()
	changes, all := time.NewTicker(changesEvery), time.NewTicker(allEvery)
	defer changes.Stop()
	defer all.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case file := <-reread:
			s.SetFile(file)
		case customer, ok := <-announced:
			if !ok { // for good: changes are looked for all the same
				announced = nil
				continue
			}
			err = s.read(ctx, customer)
		case <-changes.C:
			err = s.catchUp(ctx)
		case <-all.C:
			err = s.Load(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error().Err(err).Msg("changed connections cannot be read")
		}
	}
}

// catchUp reads what was changed since the last look.
func (s *Source) catchUp(ctx context.Context) error {
	customers, mark, err := s.ledger.ConnectionChanges(ctx, s.mark)
	if err != nil || len(customers) == 0 {
		return err
	}
	if err := s.read(ctx, customers...); err != nil {
		return err
	}
	s.mark = mark
	return nil
}

func (s *Source) read(ctx context.Context, customers ...string) error {
	found, err := s.ledger.ConnectionsOf(ctx, customers...)
	if err != nil {
		return err
	}
	maps.Copy(s.stored, found)
	s.merge()
	return nil
}

// merge applies the connections in use if they have changed.
func (s *Source) merge() {
	if s.applied == nil {
		return
	}
	next := make(map[string]store.Connection, len(s.stored)+len(s.file))
	for customer, c := range s.file {
		if _, stored := s.stored[customer]; !stored {
			next[customer] = c
		}
	}
	for customer, c := range s.stored {
		if why := s.unusable(c); why != "" {
			s.leaveOut(customer, why)
			continue
		}
		delete(s.told, customer)
		use := c.WithDefaults()
		use.Stored = true
		next[customer] = use
	}
	if maps.Equal(next, s.applied) {
		return
	}
	s.applied = next
	s.apply(slices.Collect(maps.Values(next)))
}

// unusable says why a stored connection is not used; "" where it is.
func (s *Source) unusable(c store.StoredConnection) string {
	switch {
	case !c.Below().Kept():
		if _, filed := s.file[c.Customer]; filed {
			return "it was removed in the store, so that of the file is not used either: add it with icims-export connection add"
		}
		return removed
	case c.Sealed:
		return "this keyset cannot open it: see icims-export keys status"
	case !c.WithDefaults().Capabilities.Has(store.CanExport):
		return fmt.Sprintf("it lacks the capability %q", store.CanExport)
	}
	if err := Check(c.Connection, s.hosts); err != nil {
		return err.Error()
	}
	return ""
}

const removed = "it was removed"

// leaveOut tells once why a connection is not used.
func (s *Source) leaveOut(customer, why string) {
	if s.told[customer] == why {
		return
	}
	s.told[customer] = why
	if why != removed {
		s.log.Error().Str("customer", customer).Str("problem", why).Msg("a connection is left out, its exports wait")
	}
}
