package worker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

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
}

// maxReads bounds how many hits of one search are read. More come up only where
// short addresses are part of many others.
const maxReads = 100

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
	read := map[icims.PersonID]bool{}
	exact, err := f.search(ctx, icims.OpExact, emails, read, found)
	if err != nil {
		return nil, err
	}
	f.tenant.learnCase(emails, exact)
	// Whether the exact operator heeds upper and lower case is not documented. A
	// second search, which does not, finds those that it may have missed.
	missing := slices.DeleteFunc(slices.Clone(emails), func(e string) bool { return len(found.byEmail[strings.ToLower(e)]) > 0 })
	if len(missing) > 0 && !f.tenant.ignoresCase() {
		if _, err := f.search(ctx, icims.OpEqual, missing, read, found); err != nil {
			return nil, err
		}
	}
	for _, list := range found.byEmail {
		slices.SortFunc(list, preferred)
	}
	return found, nil
}

func (f *finder) search(ctx context.Context, operator string, emails []string, read map[icims.PersonID]bool, found *people) ([]*icims.Person, error) {
	ids, _, err := f.client.SearchPeople(ctx, icims.EmailQuery(operator, spellings(emails)...))
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(ids, func(id icims.PersonID) bool { return read[id] })
	if len(ids) > maxReads {
		ids = ids[:maxReads]
		found.unreadable = errTooManyHits
	}
	wanted := map[string]bool{}
	for _, e := range emails {
		wanted[strings.ToLower(e)] = true
	}
	var (
		mu    sync.Mutex
		hits  []*icims.Person
		group errgroup.Group
	)
	group.SetLimit(max(1, f.conn.Limits.InFlight))
	for _, id := range ids {
		read[id] = true
		group.Go(func() error {
			p, err := f.read(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case icims.ClassOf(err) == icims.ClassAccess:
				found.unreadable = err
			case err != nil:
				return err
			case p != nil && wanted[strings.ToLower(p.Email)]:
				hits = append(hits, p)
				key := strings.ToLower(p.Email)
				found.byEmail[key] = append(found.byEmail[key], p)
			}
			return nil
		})
	}
	return hits, group.Wait()
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
