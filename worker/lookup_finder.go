package worker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// finder finds people by e-mail.
type finder struct {
	client *icims.Client
	conn   store.Connection
	tenant *tenant
	log    zerolog.Logger
}

// Hits are read one call each, so there are bounds. More than maxReads people of
// one look-up's addresses are not to be expected; more than maxGuesses hits of a
// search that also finds longer addresses are not worth their calls.
const (
	maxReads   = 400
	maxGuesses = 25
)

// people is what a search found, by address in lower case.
type people struct {
	byEmail map[string][]*icims.Person
	// unreadable is set where a hit could not be read: then an address without a
	// person may yet have one.
	unreadable error
}

// of returns the people with the address, the one to use first. It is not sure
// that there is nobody where a hit could not be read.
func (p *people) of(email string) (own []*icims.Person, sure bool) {
	own = p.byEmail[strings.ToLower(email)]
	return own, len(own) > 0 || p.unreadable == nil
}

// byEmail searches all addresses in one call and reads the hits, since search
// answers with ids only (API sheet §7).
func (f *finder) byEmail(ctx context.Context, emails []string) (*people, error) {
	found := &people{byEmail: map[string][]*icims.Person{}}
	if len(emails) == 0 {
		return found, nil
	}
	ids, err := f.exact(ctx, emails)
	if err != nil {
		return nil, err
	}
	if len(ids) > maxReads {
		return nil, errTooManyHits
	}
	if err := f.readAll(ctx, ids, emails, found); err != nil {
		return nil, err
	}
	// Whether the exact operator heeds upper and lower case is not documented.
	// Where it does, or as long as that is not known, a second search, which does
	// not, finds those that the first one missed.
	missing := slices.DeleteFunc(slices.Clone(emails), func(e string) bool { return len(found.byEmail[strings.ToLower(e)]) > 0 })
	if len(missing) > 0 && !f.tenant.ignoresCase() {
		guesses, _, err := f.client.SearchPeople(ctx, icims.EmailQuery(icims.OpEqual, spellings(missing)...))
		if err != nil {
			return nil, err
		}
		guesses = slices.DeleteFunc(guesses, func(id icims.PersonID) bool { return slices.Contains(ids, id) })
		switch {
		case len(guesses) <= maxGuesses:
			if err := f.readAll(ctx, guesses, missing, found); err != nil {
				return nil, err
			}
		case len(emails) > 1:
			// Too many to read at once: each address is looked up by itself. An address
			// alone that is part of so many others rests on the exact search.
			found.unreadable = errTooManyHits
		}
	}
	for _, list := range found.byEmail {
		slices.SortFunc(list, preferred)
	}
	return found, nil
}

// exact searches the addresses by the exact operator. Along with them it asks
// for a person whose address is known, in another spelling, to learn whether the
// operator heeds case; that costs no call.
func (f *finder) exact(ctx context.Context, emails []string) ([]icims.PersonID, error) {
	values := spellings(emails)
	probe, probing := f.tenant.caseProbe(emails)
	if probing {
		values = append(values, swapCase(probe.email))
	}
	ids, _, err := f.client.SearchPeople(ctx, icims.EmailQuery(icims.OpExact, values...))
	if err != nil {
		return nil, err
	}
	if probing {
		ignored := slices.Contains(ids, probe.id)
		f.tenant.learnCase(ignored)
		ids = slices.DeleteFunc(ids, func(id icims.PersonID) bool { return id == probe.id })
	}
	return ids, nil
}

// readAll reads hits and adds those that have one of the addresses.
func (f *finder) readAll(ctx context.Context, ids []icims.PersonID, emails []string, found *people) error {
	wanted := map[string]bool{}
	for _, e := range emails {
		wanted[strings.ToLower(e)] = true
	}
	var (
		mu    sync.Mutex
		group errgroup.Group
	)
	group.SetLimit(max(1, f.conn.Limits.InFlight))
	for _, id := range ids {
		spawnIn(&group, f.log, "look-up", func() error {
			p, err := f.read(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case icims.ClassOf(err) == icims.ClassAccess:
				found.unreadable = err
			case err != nil:
				return err
			case p != nil && wanted[strings.ToLower(p.Email)]:
				key := strings.ToLower(p.Email)
				found.byEmail[key] = append(found.byEmail[key], p)
			}
			return nil
		})
	}
	return group.Wait()
}

// errTooManyHits: more people matched than are worth reading.
var errTooManyHits = errors.New("a search by e-mail matched more people than can be told apart")

// read returns the person, and nil for one that is gone, purged or merged into
// another: such a profile has no e-mail any more (API sheet §5.4).
func (f *finder) read(ctx context.Context, id icims.PersonID) (*icims.Person, error) {
	p, _, err := f.client.Person(ctx, id, updateReadFields(f.conn)...)
	if icims.ReasonOf(err) == icims.ReasonNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if _, merged := p.MergedInto(); merged || p.Purged() {
		return nil, nil
	}
	return p, nil
}

// maxMerges bounds how many merges are followed from one remembered id.
const maxMerges = 3

// byID returns a remembered person, following merges, and nil where the id leads
// to nobody any more.
func (f *finder) byID(ctx context.Context, id icims.PersonID) (*icims.Person, error) {
	for range maxMerges {
		p, _, err := f.client.Person(ctx, id, updateReadFields(f.conn)...)
		if icims.ReasonOf(err) == icims.ReasonNotFound {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		into, merged := p.MergedInto()
		if !merged {
			if p.Purged() {
				return nil, nil
			}
			return p, nil
		}
		id = into
	}
	return nil, nil
}

// preferred orders several people of one address: candidates before others,
// then the oldest profile (API sheet §7).
func preferred(a, b *icims.Person) int {
	if a.Candidate() != b.Candidate() {
		if a.Candidate() {
			return -1
		}
		return 1
	}
	return int(a.ID - b.ID)
}

// spellings returns the addresses as given and in lower case, without doubles.
func spellings(emails []string) []string {
	var all []string
	seen := map[string]bool{}
	for _, e := range emails {
		for _, s := range []string{e, strings.ToLower(e)} {
			if !seen[s] {
				seen[s] = true
				all = append(all, s)
			}
		}
	}
	return all
}

// emailOf returns the address of a neighbour that needs a look-up.
func emailOf(n store.Neighbour) (string, bool) {
	if n.Payload == nil {
		return "", false
	}
	p, err := tasks.DecodePayload(n.Payload)
	return p.Candidate.Email, err == nil && p.Candidate.Email != ""
}
