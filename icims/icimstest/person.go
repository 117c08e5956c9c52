package icimstest

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
)

// person is a profile. fields is replaced, never changed in place, so that searches can use an
// older version.
type person struct {
	id      int64
	fields  map[string]any
	files   map[string]file
	created time.Time
	updated time.Time
	merged  int64
	hidden  bool
	// filled is when the API first wrote to an empty collection.
	filled map[string]time.Time
	// lagged is what searches see until the search lag since changed has passed; nil while lagging
	// means that they do not see the person yet.
	lagged  map[string]any
	changed time.Time
	lagging bool
}

// entry is one element of a collection.
type entry struct {
	id      int64
	primary bool
	values  map[string]any
}

// draftPerson is a checked body to be stored.
type draftPerson struct {
	fields  map[string]any
	touched []string // collections in the body
}

func (p *person) text(name string) string {
	s, _ := p.fields[name].(string)
	return s
}

func folderID(fields map[string]any) string {
	n, _ := fields["folder"].(node)
	return n.ID
}

// purged reports whether the person is about to be deleted.
func (p *person) purged() bool { return p.merged != 0 || folderID(p.fields) == "D32002" }

// draft checks a body against an existing person, or against nil for a new one. Seeding skips the
// rules on required fields.
func (t *Tenant) draft(p *person, body map[string]any, seeding bool) (draftPerson, []problem, []problem) {
	s := &scan{t: t}
	d := draftPerson{fields: map[string]any{}}
	if p != nil {
		maps.Copy(d.fields, p.fields)
	}
	for _, name := range sortedKeys(body) {
		raw := body[name]
		f := t.fields[name]
		switch {
		case f == nil:
			s.unknown(name)
		case f.readOnly:
			s.refuse(name, "The field cannot be set.")
		case cleared(raw):
			delete(d.fields, name)
			if f.kind == kindCollection {
				d.touched = append(d.touched, name)
			}
		case f.kind == kindCollection:
			d.touched = append(d.touched, name)
			warned := len(s.warnings)
			entries := t.mergeEntries(s, f, entriesOf(d.fields[name]), raw, p != nil)
			if t.behaviour.UnknownListValue == WarnCollection && len(s.warnings) > warned {
				entries = entriesOf(d.fields[name])
			}
			if len(entries) > 0 {
				d.fields[name] = entries
			} else {
				delete(d.fields, name)
			}
		default:
			if v, stored := s.value(f, name, raw); stored {
				d.fields[name] = v
			}
		}
	}
	if !seeding {
		for _, name := range t.cfg.Required {
			if d.fields[name] == nil {
				s.errors = append(s.errors, problem{code: codeRequired, field: name, detail: "This field is required."})
			}
		}
		s.sourcename(d.fields, body)
		var before map[string]any
		if p != nil {
			before = p.fields
		}
		t.unstore(d.fields, before, "")
	}
	if seeding {
		return d, append(s.errors, s.warnings...), nil
	}
	return d, s.errors, s.warnings
}

// unstore restores the previous values of the tenant's unstored fields. Fields of other types than
// person have their type as a prefix.
func (t *Tenant) unstore(fields, before map[string]any, prefix string) {
	for _, name := range t.cfg.UnstoredFields {
		local, own := strings.CutPrefix(name, prefix)
		if !own || fields[local] == nil {
			continue
		}
		delete(fields, local)
		if before[local] != nil {
			fields[local] = before[local]
		}
	}
}

// sourcename applies the rule that a source name needs a source from the list. The source itself is
// always stored.
func (s *scan) sourcename(fields, body map[string]any) {
	if _, sent := body["sourcename"]; !sent || fields["sourcename"] == nil {
		return
	}
	source, _ := fields["source"].(string)
	if len(s.t.lists[listSources].byValue[strings.ToLower(source)]) == 0 {
		delete(fields, "sourcename")
		s.warnings = append(s.warnings, invalid("sourcename", "Provided source is not valid so cannot set sourcename."))
	}
}

func entriesOf(v any) []entry {
	e, _ := v.([]entry)
	return e
}

// mergeEntries applies an array of a profile body to a collection.
func (t *Tenant) mergeEntries(s *scan, f *field, old []entry, raw any, existing bool) []entry {
	items, isArray := raw.([]any)
	if !isArray {
		s.refuse(f.name, "The value must be an array.")
		return old
	}
	var out []entry
	if !existing || t.behaviour.CollectionPatch != Replace {
		out = slices.Clone(old)
	}
	for _, item := range items {
		obj, isObject := item.(map[string]any)
		if !isObject {
			s.refuse(f.name, "The value must be an array of objects.")
			continue
		}
		var e entry
		if rawID, given := obj["entry"]; given {
			id, _ := asInt(rawID)
			i := slices.IndexFunc(old, func(e entry) bool { return e.id == id })
			if i < 0 {
				s.refuse(f.name, "The entry does not exist.")
				continue
			}
			e = old[i]
		}
		next := t.checkEntry(s, f, e, obj)
		if next.values == nil {
			continue
		}
		out, _ = t.putEntry(f, out, next)
	}
	return out
}

// checkEntry applies a body to an entry; values is nil if it was refused.
func (t *Tenant) checkEntry(s *scan, f *field, e entry, obj map[string]any) entry {
	before, warned := len(s.errors), len(s.warnings)
	values := make(map[string]any, len(obj))
	maps.Copy(values, e.values)
	for _, name := range sortedKeys(obj) {
		raw := obj[name]
		child := f.children[name]
		path := s.pathOf(f, name)
		switch {
		case name == "entry":
		case name == "primary" && f.primary:
			b, isBool := raw.(bool)
			if !isBool {
				s.refuse(path, "The value must be true or false.")
			}
			e.primary = b
		case child == nil:
			s.unknown(path)
		case cleared(raw):
			delete(values, name)
		default:
			if v, stored := s.value(child, path, raw); stored {
				values[name] = v
			}
		}
	}
	if len(values) == 0 && len(s.warnings) > warned {
		return entry{} // no value remained
	}
	if len(values) == 0 && len(s.errors) == before {
		s.refuse(f.name, "The entry has no values.")
	}
	if len(s.errors) > before {
		return entry{}
	}
	e.values = values
	return e
}

// putEntry adds or replaces an entry. For an identical entry it returns the existing one.
func (t *Tenant) putEntry(f *field, entries []entry, e entry) ([]entry, entry) {
	for _, other := range entries {
		if other.id != e.id && reflect.DeepEqual(other.values, e.values) {
			return entries, other
		}
	}
	entries = slices.Clone(entries)
	if e.id == 0 {
		t.entrySeq++
		e.id = t.entrySeq
	}
	if i := slices.IndexFunc(entries, func(o entry) bool { return o.id == e.id }); i >= 0 {
		entries[i] = e
	} else {
		entries = append(entries, e)
	}
	return settlePrimary(f, entries, e.id), e
}

// settlePrimary leaves exactly one primary entry and moves it to the front: the one just written if
// it requests it, else the previous one, else the first.
func settlePrimary(f *field, entries []entry, written int64) []entry {
	if !f.primary || len(entries) == 0 {
		return entries
	}
	first := slices.IndexFunc(entries, func(e entry) bool { return e.primary && e.id == written })
	if first < 0 {
		first = max(slices.IndexFunc(entries, func(e entry) bool { return e.primary }), 0)
	}
	for i := range entries {
		entries[i].primary = i == first
	}
	chosen := entries[first]
	return append([]entry{chosen}, slices.Delete(entries, first, first+1)...)
}

// insertPerson stores a new person. Callers hold the lock.
func (t *Tenant) insertPerson(id int64, d draftPerson, now time.Time, visible bool) *person {
	if id == 0 {
		t.personSeq++
		id = t.personSeq
	}
	t.personSeq = max(t.personSeq, id)
	if d.fields["folder"] == nil {
		d.fields["folder"] = labeled("D32006", "Cand:Unreviewed")
	}
	p := &person{id: id, created: now}
	t.people[id] = p
	i, _ := slices.BinarySearch(t.order, id)
	t.order = slices.Insert(t.order, i, id)
	t.storePerson(p, d.fields, now, visible)
	return p
}

// storePerson replaces a person's fields and keeps the old version for searches. Callers hold the
// lock.
func (t *Tenant) storePerson(p *person, fields map[string]any, now time.Time, visible bool) {
	lag := t.sim.faults.Load().SearchLag
	switch {
	case visible || lag == 0:
		p.lagged, p.lagging = nil, false
	case !p.lagging || now.Sub(p.changed) >= lag:
		p.lagged, p.lagging = p.fields, true
	}
	p.fields, p.updated, p.changed = fields, now, now
	t.emails.add(p.text("email"), p.id)
}

// searchable returns the version of the person that a search sees, or nil.
func (p *person) searchable(now time.Time, lag time.Duration) map[string]any {
	if p.hidden {
		return nil
	}
	if p.lagging && now.Sub(p.changed) < lag {
		return p.lagged
	}
	return p.fields
}

// holders returns the people who have an address, without purged ones.
func (t *Tenant) holders(email string) []int64 {
	var out []int64
	for _, id := range t.emails.exactly(email) {
		if p := t.people[id]; p != nil && !p.purged() && strings.EqualFold(p.text("email"), email) {
			out = append(out, id)
		}
	}
	return out
}

// person returns the person of a path, or an answer that says why not.
func (c *call) person() (*person, *answer) {
	p := c.tenant.people[atoi(c.arg("person"))]
	if p == nil {
		a := notFound("Person")
		return nil, &a
	}
	if p.hidden {
		a := accessDenied()
		return nil, &a
	}
	return p, nil
}

func peopleCreate(c *call) answer {
	body, bad := c.object()
	if bad != nil {
		return *bad
	}
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	d, errs, warnings := t.draft(nil, body, false)
	if len(errs) > 0 {
		return badRequest(errs...)
	}
	if email, _ := d.fields["email"].(string); email != "" && t.behaviour.DuplicateEmail != Allow && len(t.holders(email)) > 0 {
		status := http.StatusBadRequest
		if t.behaviour.DuplicateEmail == Reject409 {
			status = http.StatusConflict
		}
		return refuse(status, invalid("email", "The email address is already in use."))
	}
	p := t.insertPerson(0, d, c.now, false)
	p.filled = map[string]time.Time{t.cfg.WorkExperience.Collection: c.now, t.cfg.Education.Collection: c.now}
	c.effect = true
	a := created(t.personPath(p.id), p.id)
	a.warnings = slices.Concat(warnings, c.remark(d.fields))
	return a
}

// remark returns a warning about a value that was stored anyway.
func (c *call) remark(fields map[string]any) []problem {
	if c.rng.Float64() >= c.sim.cfg.Quirks.Warnings {
		return nil
	}
	source, _ := fields["source"].(string)
	switch {
	case source != "" && len(c.tenant.lists[listSources].byValue[strings.ToLower(source)]) == 0:
		return []problem{invalid("source", "Provided source is not in the list of sources.")}
	case fields["phones"] != nil:
		return []problem{invalid("phones", "A phone number could not be formatted.")}
	}
	return nil
}

func peoplePatch(c *call) answer {
	body, bad := c.object()
	if bad != nil {
		return *bad
	}
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	p, missing := c.person()
	if missing != nil {
		return *missing
	}
	d, errs, warnings := t.draft(p, body, false)
	if len(errs) > 0 {
		return badRequest(errs...)
	}
	t.noteWrite(p, c.now, false, d.touched...)
	c.effect = !reflect.DeepEqual(p.fields, d.fields)
	t.storePerson(p, d.fields, c.now, false)
	a := t.patched(t.personPath(p.id))
	a.warnings = warnings
	return a
}

func (t *Tenant) personPath(id int64) string {
	return "/customers/" + t.cfg.Customer + "/people/" + itoa(id)
}
