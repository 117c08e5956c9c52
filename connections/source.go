package connections

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// Source keeps the connections in use: those of the store, and those of the file for customers
// without a stored connection. It is not safe for concurrent use.
type Source struct {
	ledger *store.Ledger
	hosts  icims.HostPolicy
	log    zerolog.Logger
	apply  func([]store.Connection)

	file map[string]store.Connection
	// profiles are the profiles of the file's connections.
	profiles map[string]store.StoredProfile
	stored   map[string]store.StoredConnection
	unread   map[string]bool             // stored but unreachable: keep the last known state
	mark     int64                       // position in the store's change log
	told     map[string]string           // by customer: the logged reason why its connection is not used
	applied  map[string]store.Connection // nil: none applied yet
}

// NewSource returns a source that calls apply with all connections in use whenever they change.
func NewSource(ledger *store.Ledger, hosts icims.HostPolicy, log zerolog.Logger, apply func([]store.Connection)) *Source {
	return &Source{
		ledger: ledger, hosts: hosts, log: log, apply: apply,
		file: map[string]store.Connection{}, profiles: map[string]store.StoredProfile{}, stored: map[string]store.StoredConnection{}, unread: map[string]bool{}, told: map[string]string{},
	}
}

// SetFile replaces the connections of the file. They must have been checked.
func (s *Source) SetFile(connections []store.Connection) {
	clear(s.file)
	for _, c := range connections {
		s.file[c.Customer] = c
	}
	s.merge()
}

// Load reads all connections of the store. Nothing is applied before it. Connections on an
// unreachable node of a cluster are read later, by Run. If nothing can be read and nothing else is
// available, it returns the error.
func (s *Source) Load(ctx context.Context) error {
	customers, mark, err := s.ledger.Connections.Changes(ctx, 0)
	if err != nil {
		return err
	}
	if found, err := s.take(ctx, customers...); err != nil && found+len(s.file)+len(s.applied) == 0 {
		return err
	}
	s.mark = mark
	listed := make(map[string]bool, len(customers))
	for _, customer := range customers {
		listed[customer] = true
	}
	maps.DeleteFunc(s.stored, func(customer string, _ store.StoredConnection) bool { return !listed[customer] })
	s.takeProfiles(ctx, slices.Collect(maps.Keys(s.file))...)
	if s.applied == nil {
		s.applied = map[string]store.Connection{}
	}
	s.merge()
	return nil
}

// Len returns the number of connections in use.
func (s *Source) Len() int { return len(s.applied) }

// Unread returns the number of stored connections that are unreachable.
func (s *Source) Unread() int { return len(s.unread) }

const (
	// changesEvery is how often to check for changes whose message was missed.
	changesEvery = 5 * time.Second
	// allEvery is how often to read all connections: a writer may crash before it publishes its
	// change.
	allEvery = 5 * time.Minute
)

// Run applies changes until ctx ends. Call Load first. Each value received from reread replaces the
// connections of the file.
func (s *Source) Run(ctx context.Context, reread <-chan []store.Connection) {
	announced := s.ledger.Connections.Announcements(ctx)
	ended := announced
	defer func() {
		for range ended { // until the subscription ends
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
			s.takeProfiles(ctx, slices.Collect(maps.Keys(s.file))...)
			s.merge()
		case customer, ok := <-announced:
			if !ok { // closed for good; polling continues
				announced = nil
				continue
			}
			s.read(ctx, customer)
		case <-changes.C:
			err = s.catchUp(ctx)
		case <-all.C:
			err = s.Load(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error().Err(err).Fields(store.LogFields(err)).Msg("cannot read changed connections")
		}
	}
}

// catchUp reads what changed since the last call, and what was unreachable then.
func (s *Source) catchUp(ctx context.Context) error {
	missed := slices.Collect(maps.Keys(s.unread))
	customers, mark, err := s.ledger.Connections.Changes(ctx, s.mark)
	if err != nil {
		return err
	}
	s.read(ctx, customers...)
	s.mark = mark
	s.read(ctx, missed...)
	return nil
}

func (s *Source) read(ctx context.Context, customers ...string) {
	if len(customers) == 0 {
		return
	}
	_, _ = s.take(ctx, customers...) // errors are logged, and reads repeated later
	s.takeProfiles(ctx, customers...)
	s.merge()
}

// take reads connections of the store and returns how many it found. Unreachable ones keep their
// last known state.
func (s *Source) take(ctx context.Context, customers ...string) (found int, err error) {
	read, err := s.ledger.Connections.GetAll(ctx, customers...)
	before := len(s.unread)
	for _, customer := range customers {
		delete(s.unread, customer)
	}
	if unread, ok := errors.AsType[*store.UnreadError](err); ok {
		for _, customer := range unread.Customers {
			s.unread[customer] = true
		}
	}
	for _, customer := range customers {
		if _, found := read[customer]; !found && !s.unread[customer] {
			delete(s.stored, customer)
		}
	}
	switch after := len(s.unread); {
	case after > before && ctx.Err() == nil:
		s.log.Error().Err(err).Fields(store.LogFields(err)).Int("customers", after).Msg("cannot read connections; using their last known state")
	case after == 0 && before > 0:
		s.log.Info().Int("customers", before).Msg("unreadable connections read again")
	}
	maps.Copy(s.stored, read)
	return len(read), err
}

// takeProfiles reads the profiles of customers that have a connection only in the file. Unreadable
// profiles stay unchanged.
func (s *Source) takeProfiles(ctx context.Context, customers ...string) {
	var filed []string
	for _, customer := range customers {
		if _, stored := s.stored[customer]; stored {
			continue
		}
		if _, ok := s.file[customer]; ok {
			filed = append(filed, customer)
		}
	}
	if len(filed) == 0 {
		return
	}
	found, err := s.ledger.Connections.StoredProfiles(ctx, filed...)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("cannot read tenant profiles; using their last known state")
		}
		return
	}
	for _, customer := range filed {
		delete(s.profiles, customer)
	}
	maps.Copy(s.profiles, found)
}

// merge applies the connections in use if they have changed.
func (s *Source) merge() {
	if s.applied == nil {
		return
	}
	next := make(map[string]store.Connection, len(s.stored)+len(s.file))
	for customer, c := range s.file {
		// A stored connection takes precedence, even while it cannot be read.
		if _, stored := s.stored[customer]; !stored && !s.unread[customer] {
			c.Profile = s.ledger.Keys().ProfileFor(c, s.profiles[customer])
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

// unusable returns why a stored connection cannot be used, or "".
func (s *Source) unusable(c store.StoredConnection) string {
	switch {
	case !c.Below().Kept():
		if _, filed := s.file[c.Customer]; filed {
			return "it was removed from the store, so the file's connection is not used: add it with icims-export connection add"
		}
		return removed
	case c.Forged:
		return forged
	case c.Sealed:
		return "this keyset cannot decrypt it: see icims-export keys status"
	case !c.WithDefaults().Capabilities.Has(store.CanExport):
		return fmt.Sprintf("it lacks the capability %q", store.CanExport)
	}
	if err := Check(c.Connection, s.hosts); err != nil {
		return err.Error()
	}
	return ""
}

const (
	removed = "it was removed"
	forged  = "it was modified in Redis, for example replaced by an older one: find out who can write to Redis, then save it again with icims-export connection edit"
)

// noteTime is the timeout for notes to the consistency check.
const noteTime = 2 * time.Second

// leaveOut reports once why a connection is not used.
func (s *Source) leaveOut(customer, why string) {
	if s.told[customer] == why {
		return
	}
	s.told[customer] = why
	if why != removed {
		s.log.Error().Str("customer", customer).Str("problem", why).Msg("connection not used; its exports wait")
	}
	if why == forged {
		ctx, cancel := context.WithTimeout(context.Background(), noteTime)
		defer cancel()
		if err := s.ledger.RecordForgery(ctx, customer, store.ForgedConnection); err != nil {
			s.log.Warn().Err(err).Fields(store.LogFields(err)).Msg("could not record a forged connection")
		}
	}
}
