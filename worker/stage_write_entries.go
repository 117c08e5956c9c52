package worker

import (
	"context"
	"maps"
	"slices"

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

// addEntries adds entries to a new person one by one: those held back because iCIMS refused one of
// them without saying which, and those of doubted collections that are empty in iCIMS. It records
// the person first. Entries that cannot be added are owed.
func (s writeStage) addEntries(ctx context.Context, x *export, held []request, doubted map[string][]request) outcome {
	o := s.recordSurely(ctx, func(ctx context.Context) error {
		return s.ledger.Step(ctx, x.claim, store.Step{
			To: store.Created, Lease: s.settings.Lease, Person: int64(x.personID), PersonMade: true, Warnings: x.warnings.Codes(),
		})
	})
	if o.kind != proceed {
		return o
	}
	names := slices.Sorted(maps.Keys(doubted))
	if len(names) > 0 {
		// Otherwise they are owed.
		if p, _, err := s.client.Person(ctx, x.personID, names...); err == nil {
			for _, name := range names {
				if len(p.Entries(name)) > 0 {
					continue
				}
				again := s.tenant.aboutField(name, "")
				x.warnings = slices.DeleteFunc(x.warnings, func(w mapping.Warning) bool { return slices.Contains(again, w) })
				held = append(held, doubted[name]...)
			}
		}
	}
	for _, entry := range held {
		err := s.addEntry(ctx, x, x.personID, entry)
		for try := 1; err != nil && icims.ClassOf(err) == icims.ClassRetry && try < addTries; try++ {
			err = s.addEntry(ctx, x, x.personID, entry)
		}
		if err != nil {
			x.notef("an entry of %s could not be added", entry.collection)
			x.warn(s.tenant.aboutField(entry.collection, "")...)
		}
	}
	return outcome{}
}

func (s writeStage) addEntry(ctx context.Context, x *export, id icims.PersonID, entry request) error {
	_, err := s.sendFields(x, entry, func(f icims.Fields) (*icims.Response, error) {
		_, answer, err := s.client.AddCollectionEntry(ctx, id, entry.collection, f)
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

// fill adds owed entries to a history that is empty in iCIMS. A history with entries is left
// alone.
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
		if len(p.Entries(collection)) > 0 {
			continue
		}
		entries, _ := fields[collection].([]icims.Fields)
		for _, entry := range entries {
			if err := s.addEntry(ctx, x, id, request{collection: collection, fields: entry}); err != nil {
				return err
			}
		}
		if len(entries) > 0 {
			x.notef("%s had no entries in iCIMS and was added; an earlier export could not add it", collection)
		}
	}
	return nil
}
