package worker

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
)

// finder finds people by email.
type finder struct {
	client *icims.Client
	conn   store.Connection
	tenant *tenant
	// reopens waits until calls are permitted again after a 429. It returns false if that takes
	// too long.
	reopens func(ctx context.Context, within time.Duration) bool
	log     zerolog.Logger
}

// patience is how long a look-up waits after a 429. Its other calls would be lost.
const patience = 30 * time.Second

// patiently repeats a read that gets a 429, or is refused because of one.
func (f *finder) patiently(ctx context.Context, read func() error) error {
	for {
		err := read()
		if icims.ClassOf(err) != icims.ClassDefer || icims.ReasonOf(err) != icims.ReasonRateLimited || !f.reopens(ctx, patience) {
			return err
		}
	}
}

// Each hit costs a call, so these bound the hits that are read: of an exact search, of a search
// for several addresses that also finds longer ones, and of such a search for one address.
const (
	maxReads         = 400
	maxGuesses       = 25
	maxSingleGuesses = 200
)

// people are the hits of a search, by lower-case address.
type people struct {
	byEmail map[string][]*icims.Person
	// doubt is why an address without a hit may still belong to a person; nil: it does not.
	doubt error
}

// of returns the people with the address, preferred first. It is not sure that there is none if
// there is a doubt.
func (p *people) of(email string) (own []*icims.Person, sure bool) {
	own = p.byEmail[strings.ToLower(email)]
	return own, len(own) > 0 || p.doubt == nil
}

// atOnce returns how many addresses to look up at once: one, unless verification found that this
// customer's search finds them all.
func (f *finder) atOnce(wanted int) int {
	if f.conn.Profile.SearchOr != store.Yes {
		return 1
	}
	return wanted
}

// byEmail searches all addresses and reads the hits, since searches return only IDs (API sheet
// §7).
func (f *finder) byEmail(ctx context.Context, emails []string) (*people, error) {
	found := &people{byEmail: map[string][]*icims.Person{}}
	if len(emails) == 0 {
		return found, nil
	}
	ids, err := f.exact(ctx, emails)
	if err != nil {
		return nil, err
	}
	if err := f.readExact(ctx, ids, emails, found); err != nil {
		return nil, err
	}
	// It is not documented whether the exact operator is case-sensitive. If it is, or may be, a
	// second search that ignores case finds the people that the first one missed.
	missing := slices.DeleteFunc(slices.Clone(emails), func(e string) bool { return len(found.byEmail[strings.ToLower(e)]) > 0 })
	if len(missing) > 0 && !f.ignoresCase() {
		guesses, err := f.search(ctx, icims.OpEqual, spellings(missing))
		if err != nil {
			return nil, err
		}
		guesses = slices.DeleteFunc(guesses, func(id icims.PersonID) bool { return slices.Contains(ids, id) })
		if err := f.readGuesses(ctx, guesses, missing, len(emails) == 1, found); err != nil {
			return nil, err
		}
	}
	for _, list := range found.byEmail {
		slices.SortFunc(list, preferred)
	}
	return found, nil
}

func (f *finder) ignoresCase() bool {
	return f.conn.Profile.IgnoresCase == store.Yes || f.tenant.ignoresCase()
}

// search returns the people who have, or contain, one of the values. It takes one call if this
// customer's search is known to find them all, otherwise one call per value.
func (f *finder) search(ctx context.Context, op string, values []string) ([]icims.PersonID, error) {
	calls := [][]string{values}
	if f.conn.Profile.SearchOr != store.Yes {
		calls = slices.Collect(slices.Chunk(values, 1))
	}
	var all []icims.PersonID
	for _, some := range calls {
		err := f.patiently(ctx, func() error {
			ids, _, err := f.client.SearchPeople(ctx, icims.EmailQuery(op, some...))
			all = append(all, ids...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// exact searches the addresses with the exact operator. It adds a known person's address in
// another case, to learn whether the operator is case-sensitive at no extra call.
func (f *finder) exact(ctx context.Context, emails []string) ([]icims.PersonID, error) {
	values := spellings(emails)
	probe, probing := f.tenant.caseProbe(emails)
	probing = probing && f.conn.Profile.SearchOr == store.Yes && f.conn.Profile.IgnoresCase == ""
	if probing {
		values = append(values, swapCase(probe.email))
	}
	ids, err := f.search(ctx, icims.OpExact, values)
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

// readExact reads the hits of an exact search. A hit with a hidden email has one of the
// addresses. If there was only one address, a single such hit has it.
func (f *finder) readExact(ctx context.Context, ids []icims.PersonID, emails []string, found *people) error {
	if len(ids) > maxReads {
		found.doubt = &doubt{reason: store.ReasonEmailAmbiguous}
		return nil
	}
	hidden, err := f.readAll(ctx, ids, emails, found)
	switch {
	case err != nil:
		return err
	case len(hidden) == 1 && len(emails) == 1 && len(found.byEmail) == 0:
		found.byEmail[strings.ToLower(emails[0])] = hidden
	case len(hidden) > 0:
		found.doubt = cmp.Or(found.doubt, error(&doubt{reason: store.ReasonEmailUnreadable}))
	}
	return nil
}

// readGuesses reads the hits of a search that also finds longer addresses. It reads more of them
// for a single address than for several.
func (f *finder) readGuesses(ctx context.Context, ids []icims.PersonID, emails []string, alone bool, found *people) error {
	limit := maxGuesses
	if alone {
		limit = maxSingleGuesses
	}
	if len(ids) > limit {
		found.doubt = cmp.Or(found.doubt, error(&doubt{reason: store.ReasonEmailAmbiguous}))
		return nil
	}
	for some := range slices.Chunk(ids, maxGuesses) {
		hidden, err := f.readAll(ctx, some, emails, found)
		switch {
		case err != nil:
			return err
		case len(hidden) > 0:
			found.doubt = cmp.Or(found.doubt, error(&doubt{reason: store.ReasonEmailUnreadable}))
		case alone && len(found.byEmail) > 0:
			return nil
		}
	}
	return nil
}

// readAll reads hits of a live search, adds those with one of the addresses to found, and returns
// those with a hidden email.
func (f *finder) readAll(ctx context.Context, ids []icims.PersonID, emails []string, found *people) (hidden []*icims.Person, err error) {
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
			_, doubtful := errors.AsType[*doubt](err)
			switch {
			case doubtful, icims.ClassOf(err) == icims.ClassAccess:
				found.doubt = err
			case err != nil:
				return err
			case p == nil:
			case p.Email == "":
				hidden = append(hidden, p)
			case wanted[strings.ToLower(p.Email)]:
				key := strings.ToLower(p.Email)
				found.byEmail[key] = append(found.byEmail[key], p)
			}
			return nil
		})
	}
	return hidden, group.Wait()
}

// read returns a person that a live search has just found, or nil if it is purged or merged: such
// a profile has no email (API sheet §5.4). A missing person is a doubt, since it contradicts the
// search.
func (f *finder) read(ctx context.Context, id icims.PersonID) (*icims.Person, error) {
	var p *icims.Person
	err := f.patiently(ctx, func() (err error) {
		p, _, err = f.client.Person(ctx, id, mapping.ReadFields(f.conn)...)
		return err
	})
	if icims.ReasonOf(err) == icims.ReasonNotFound {
		return nil, &doubt{reason: store.ReasonPersonVanished, passes: true, err: err}
	}
	if err != nil {
		return nil, err
	}
	if _, merged := p.MergedInto(); merged || p.Purged() {
		return nil, nil
	}
	return p, nil
}

// maxMerges bounds the merges that are followed from a known ID.
const maxMerges = 3

// byID returns a known person, following merges, or nil if there is none any more. Then the caller
// looks up the email.
func (f *finder) byID(ctx context.Context, id icims.PersonID) (*icims.Person, error) {
	for range maxMerges {
		p, _, err := f.client.Person(ctx, id, mapping.ReadFields(f.conn)...)
		if e, ok := errors.AsType[*icims.Error](err); ok && (e.Reason == icims.ReasonNotFound || e.Gone()) {
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

// preferred orders people with the same address: candidates first, then the oldest profile (API
// sheet §7).
func preferred(a, b *icims.Person) int {
	if a.Candidate() != b.Candidate() {
		if a.Candidate() {
			return -1
		}
		return 1
	}
	return int(a.ID - b.ID)
}

// spellings returns the addresses as given and in lower case, without duplicates.
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
