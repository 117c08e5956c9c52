package worker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
)

// addTries is how often an entry is sent while its call fails.
const addTries = 3

// doubted returns the entries of collections that iCIMS warned about when it saved a new person: it
// may have saved none of them. A single entry would only be refused again.
func (s writeStage) doubted(x *export) map[string][]request {
	doubted := map[string][]request{}
	sent := x.sentPerson[len(x.sentPerson)-1]
	for _, name := range []string{s.tenant.names.Education.Collection, s.tenant.names.WorkExperience.Collection} {
		entries, _ := sent[name].([]icims.Fields)
		if len(entries) < 2 || !slices.Contains(x.savedWithout, name) {
			continue
		}
		for _, entry := range entries {
			doubted[name] = append(doubted[name], request{collection: name, fields: entry})
		}
	}
	return doubted
}

// addEntries adds to a new person, one by one, what could not be created with it: entries and
// fields held back because iCIMS refused one of them without saying which, and the entries of
// doubted collections that are empty in iCIMS. It records the person first, as incomplete, so that
// another attempt can continue. Entries that iCIMS refuses are owed.
func (s writeStage) addEntries(ctx context.Context, x *export, held []request, doubted map[string][]request) outcome {
	found := slices.Clone(x.warnings)
	x.warn(mapping.WarningIncomplete)
	x.warn(s.tenant.aboutRequests(held)...)
	o := s.recordSurely(ctx, func(ctx context.Context) error {
		return s.ledger.Step(ctx, x.claim, store.Step{
			To: store.Created, Lease: s.settings.Lease, Person: int64(x.personID), PersonMade: true, Warnings: x.warnings.Codes(),
		})
	})
	if o.kind != proceed {
		return o
	}
	incomplete := x.warnings
	x.warnings = found
	names := slices.Sorted(maps.Keys(doubted))
	if len(names) > 0 {
		// Otherwise they are owed.
		if p, _, err := s.client.Person(ctx, x.personID, names...); err == nil {
			for _, name := range names {
				if len(p.Entries(name)) > 0 {
					continue
				}
				x.unwarn(s.tenant.aboutField(name, "")...)
				held = append(held, doubted[name]...)
			}
		}
	}
	for _, r := range held {
		err := s.addHeld(ctx, x, r)
		for try := 1; err != nil && icims.ClassOf(err) == icims.ClassRetry && try < addTries; try++ {
			err = s.addHeld(ctx, x, r)
		}
		e, _ := errors.AsType[*icims.Error](err)
		// As in toleratedUpdate: the account may create people, but not add to them.
		mayNot := e != nil && e.Reason == icims.ReasonAccessDenied && s.limiter.SucceededRecently()
		switch o := failed(err); {
		case err == nil:
		case o.kind == deferred && !mayNot:
			x.warnings = incomplete
			return o
		default:
			x.notef("%s could not be added", r.what())
			x.warn(s.tenant.aboutRequests([]request{r})...)
		}
	}
	return outcome{}
}

// resume adds what an earlier attempt did not, because it was interrupted after it had created the
// person.
func (s writeStage) resume(ctx context.Context, x *export) outcome {
	if !x.personMade || !slices.Contains(x.warnings, mapping.WarningIncomplete) {
		return outcome{}
	}
	// The person may have been hired, merged or deleted since.
	now, err := s.finder.byID(ctx, x.personID)
	switch {
	case err != nil:
		return failed(err)
	case now == nil:
		x.notef("person %d no longer exists in iCIMS, so the email is looked up again", x.personID)
		return outcome{kind: retry, reason: store.ReasonPersonVanished, forget: true}
	case now.ID != x.personID, now.Protected(), now.Folder.IsZero() && s.conn.MissingFolder != store.MissingFolderCandidate:
		x.unwarn(mapping.WarningIncomplete)
		return outcome{}
	}
	fields, _ := mapping.Person(x.payload.Candidate, s.conn)
	// Somebody may have set these.
	fields = without(fields, mapping.FieldFolder, mapping.FieldSource)
	var held []request
	var collections []string
	for _, name := range sortedNames(fields) {
		about := s.tenant.aboutField(name, "")
		if !slices.ContainsFunc(about, func(w mapping.Warning) bool { return slices.Contains(x.warnings, w) }) {
			continue
		}
		if _, ok := fields[name].([]icims.Fields); ok {
			collections = append(collections, name)
		} else {
			held = append(held, request{fields: icims.Fields{name: fields[name]}, update: true})
		}
	}
	if len(collections) > 0 {
		p, _, err := s.client.Person(ctx, x.personID, collections...)
		if err != nil {
			return failed(err)
		}
		for _, name := range collections {
			entries, _ := fields[name].([]icims.Fields)
			missing, foreign := mapping.Missing(entries, p.Entries(name))
			if foreign && name != mapping.FieldPhones {
				continue // somebody else has added to the history
			}
			for _, entry := range missing {
				held = append(held, request{collection: name, fields: entry})
			}
			x.unwarn(s.tenant.aboutField(name, "")...)
		}
	}
	x.unwarn(s.tenant.aboutRequests(held)...)
	x.unwarn(mapping.WarningIncomplete)
	x.notef("an earlier attempt was interrupted before all of the profile was sent")
	return s.addEntries(ctx, x, held, nil)
}

// what names what a request would add.
func (r request) what() string {
	if r.collection != "" {
		return "an entry of " + r.collection
	}
	return strings.Join(sortedNames(r.fields), ", ")
}

// addHeld sends an entry, or fields of the person.
func (s writeStage) addHeld(ctx context.Context, x *export, r request) error {
	if r.collection != "" {
		return s.addEntry(ctx, x, x.personID, r)
	}
	_, err := s.sendFields(x, r, func(r *request) (*icims.Response, error) { return s.client.PatchPerson(ctx, x.personID, r.fields) })
	return err
}

func (s writeStage) addEntry(ctx context.Context, x *export, id icims.PersonID, entry request) error {
	_, err := s.sendFields(x, entry, func(r *request) (*icims.Response, error) {
		_, answer, err := s.client.AddCollectionEntry(ctx, id, r.collection, r.fields)
		return answer, err
	})
	return err
}

// owed returns the parts of the person's history that an earlier export could not write.
func (s writeStage) owed(x *export) []mapping.Warning {
	var owed []mapping.Warning
	if m := x.claim.Marker; m != nil && x.person != nil && m.Person == int64(x.person.ID) {
		for _, name := range m.Owed {
			owed = append(owed, mapping.Warning(name+"_owed"))
		}
	}
	return owed
}

// fill adds owed entries to a history that is empty in iCIMS, or that has only entries of this
// candidate. A history with other entries is left alone.
func (s writeStage) fill(ctx context.Context, x *export, id icims.PersonID, owed []mapping.Warning) error {
	if len(owed) == 0 {
		return nil
	}
	fields, _ := mapping.Person(x.payload.Candidate, s.conn)
	names := s.conn.WithDefaults().Fields
	p, _, err := s.client.Person(ctx, id, names.Education.Collection, names.WorkExperience.Collection)
	if err != nil {
		return err
	}
	for _, w := range owed {
		collection := names.Education.Collection
		if w == mapping.WarningExperienceOwed {
			collection = names.WorkExperience.Collection
		}
		entries, _ := fields[collection].([]icims.Fields)
		missing, foreign := mapping.Missing(entries, p.Entries(collection))
		if foreign {
			continue
		}
		entries = missing
		for _, entry := range entries {
			if err := s.addEntry(ctx, x, id, request{collection: collection, fields: entry}); err != nil {
				return err
			}
		}
		if len(entries) > 0 {
			x.notef("%s was missing or incomplete in iCIMS and was added; an earlier export could not add it", collection)
		}
	}
	return nil
}
