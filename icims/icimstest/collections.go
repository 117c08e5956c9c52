package icimstest

import (
	"maps"
	"reflect"
	"slices"
	"time"
)

// collectionOf returns the collection of a path; only collections can be written entry by entry.
func (c *call) collectionOf() (*person, *field, *answer) {
	p, missing := c.person()
	if missing != nil {
		return nil, nil, missing
	}
	f := c.tenant.fields[c.arg("field")]
	if f == nil || f.kind != kindCollection {
		a := badRequest(invalid(c.arg("field"), "The field is not a collection or not accessible."))
		return nil, nil, &a
	}
	return p, f, nil
}

func (t *Tenant) setEntries(p *person, f *field, entries []entry, now time.Time) {
	if slices.Contains(t.cfg.UnstoredFields, f.name) {
		return
	}
	next := maps.Clone(p.fields)
	if len(entries) == 0 {
		delete(next, f.name)
	} else {
		next[f.name] = entries
	}
	t.storePerson(p, next, now, false)
}

// collectionsAdd stores an entry. An identical entry succeeds without a change.
func collectionsAdd(c *call) answer {
	body, bad := c.object()
	if bad != nil {
		return *bad
	}
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	p, f, missing := c.collectionOf()
	if missing != nil {
		return *missing
	}
	s := &scan{t: t}
	if _, given := body["entry"]; given {
		s.refuse(f.name+".entry", "The field cannot be set.")
	}
	e := t.checkEntry(s, f, entry{}, body)
	if len(s.errors) > 0 {
		return badRequest(s.errors...)
	}
	if e.values == nil {
		a := t.patched("") // no value remained
		a.warnings = s.warnings
		return a
	}
	before := entriesOf(p.fields[f.name])
	after, stored := t.putEntry(f, before, e)
	t.noteWrite(p, c.now, true, f.name)
	a := created(t.personPath(p.id)+"/fields/"+f.name+"/"+itoa(stored.id), stored.id)
	if len(after) == len(before) {
		if t.behaviour.DuplicateEntryLocation == Absent {
			a.location = ""
		}
	} else {
		c.effect = true
		t.setEntries(p, f, after, c.now)
	}
	a.warnings = s.warnings
	return a
}

// entryOf returns the entry of a path.
func (c *call) entryOf() (*person, *field, int, *answer) {
	p, f, missing := c.collectionOf()
	if missing != nil {
		return nil, nil, 0, missing
	}
	id := atoi(c.arg("entry"))
	i := slices.IndexFunc(entriesOf(p.fields[f.name]), func(e entry) bool { return e.id == id })
	if i < 0 {
		a := notFound("Entry")
		return nil, nil, 0, &a
	}
	return p, f, i, nil
}

func collectionsGet(c *call) answer {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	p, f, i, missing := c.entryOf()
	if missing != nil {
		return *missing
	}
	return ok(c.tenant.showEntry(f, entriesOf(p.fields[f.name])[i]))
}

func collectionsPatch(c *call) answer {
	body, bad := c.object()
	if bad != nil {
		return *bad
	}
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	p, f, i, missing := c.entryOf()
	if missing != nil {
		return *missing
	}
	s := &scan{t: t}
	before := entriesOf(p.fields[f.name])
	e := t.checkEntry(s, f, before[i], body)
	if len(s.errors) > 0 {
		return badRequest(s.errors...)
	}
	if e.values == nil {
		e = before[i]
	}
	after, _ := t.putEntry(f, before, e)
	t.noteWrite(p, c.now, false, f.name)
	c.effect = !reflect.DeepEqual(before, after)
	t.setEntries(p, f, after, c.now)
	a := t.patched(t.personPath(p.id) + "/fields/" + f.name + "/" + itoa(e.id))
	a.warnings = s.warnings
	return a
}

func collectionsDelete(c *call) answer {
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	p, f, i, missing := c.entryOf()
	if missing != nil {
		return *missing
	}
	entries := slices.Clone(entriesOf(p.fields[f.name]))
	t.noteWrite(p, c.now, false, f.name)
	c.effect = true
	t.setEntries(p, f, settlePrimary(f, slices.Delete(entries, i, i+1), 0), c.now)
	return noContent()
}

// ClearFields removes values from a person's profile, as an administrator can.
func (t *Tenant) ClearFields(person int64, names ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.people[person]
	next := maps.Clone(p.fields)
	for _, name := range names {
		delete(next, name)
	}
	t.storePerson(p, next, t.sim.cfg.Now(), true)
}
