package icimstest

import (
	"maps"
	"slices"
	"strings"
)

// PersonView is a person as the API returns it with every field requested.
type PersonView struct {
	ID     int64          `json:"id"`
	Fields map[string]any `json:"fields"`
	Merged int64          `json:"merged,omitempty"` // the person it was merged into
	Purged bool           `json:"purged,omitempty"` // merged, or in the Purge folder
}

var defaultPersonFields = []string{"firstname", "lastname", "email", "folder"}

func link(title, url string) map[string]any {
	return map[string]any{"rel": "self", "title": title, "url": url}
}

const selfTitle = "The current profile being viewed."

// wanted parses ?fields=; nil means that none were named.
func (c *call) wanted() []string {
	names := c.r.URL.Query().Get("fields")
	if names == "" {
		return nil
	}
	out := strings.Split(names, ",")
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}

func peopleGet(c *call) answer {
	t := c.tenant
	t.mu.RLock()
	defer t.mu.RUnlock()
	p, missing := c.person()
	if missing != nil {
		return *missing
	}
	names := c.wanted()
	if names == nil {
		names = defaultPersonFields
	}
	out := t.showPerson(p, names, c.base)
	if t.behaviour.Folder == Hidden {
		delete(out, "folder")
	}
	out["links"] = []any{link(selfTitle, c.base+t.personPath(p.id))}
	return ok(out)
}

// showPerson renders the named fields. Empty, hidden and unknown fields are absent.
func (t *Tenant) showPerson(p *person, names []string, base string) map[string]any {
	out := make(map[string]any, len(names)+1)
	for _, name := range names {
		switch {
		case name == "id":
			out["id"] = p.id
		case t.fields[name] == nil, name == "email" && t.behaviour.EmailView == Hidden:
		case name == "createddate":
			out[name] = dateTime(p.created)
		case name == "updateddate":
			out[name] = dateTime(p.updated)
		case t.fields[name].kind == kindFile:
			if f, has := p.files[name]; has {
				out[name] = map[string]any{"filename": f.name, "file": base + t.personPath(p.id) + "/fields/" + name + "/binary"}
			}
		case p.fields[name] == nil:
		case t.fields[name].kind == kindCollection:
			out[name] = t.showEntries(t.fields[name], entriesOf(p.fields[name]))
		default:
			out[name] = p.fields[name]
		}
	}
	return out
}

func (t *Tenant) showEntries(f *field, entries []entry) []any {
	out := make([]any, len(entries))
	for i, e := range entries {
		out[i] = t.showEntry(f, e)
	}
	return out
}

func (t *Tenant) showEntry(f *field, e entry) map[string]any {
	m := make(map[string]any, len(e.values)+2)
	maps.Copy(m, e.values)
	m["entry"] = e.id
	if f.primary && t.behaviour.EntryPrimary == Present {
		m["primary"] = e.primary
	}
	return m
}

// viewPerson renders all fields as plain JSON values.
func (t *Tenant) viewPerson(p *person) PersonView {
	fields := t.showPerson(p, sortedKeys(t.fields), "https://api.icims.com")
	plain, err := decodeObject(mustJSON(fields))
	if err != nil {
		panic("icimstest: " + err.Error())
	}
	return PersonView{ID: p.id, Fields: plain, Merged: p.merged, Purged: p.purged()}
}

// Person returns a person's fields as JSON values (numbers as json.Number).
func (t *Tenant) Person(id int64) (map[string]any, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	p := t.people[id]
	if p == nil {
		return nil, false
	}
	return t.viewPerson(p).Fields, true
}

// People returns everyone by ascending ID.
func (t *Tenant) People() []PersonView {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]PersonView, 0, len(t.order))
	for _, id := range t.order {
		out = append(out, t.viewPerson(t.people[id]))
	}
	return out
}

// PeopleWithEmail returns the IDs of the people who have the address, ignoring case, without purged
// people.
func (t *Tenant) PeopleWithEmail(email string) []int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Sorted(slices.Values(t.holders(email)))
}
