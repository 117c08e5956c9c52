package icimstest

import "maps"

// Change edits fields of a person as a recruiter does in iCIMS, bypassing the account's rules. A
// text or a list of entries replaces the old value; nil removes a field or a whole collection. It
// panics if the person does not exist.
func (t *Tenant) Change(id int64, fields map[string]any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.people[id]
	if p == nil {
		panic("icimstest: unknown person")
	}
	next := make(map[string]any, len(p.fields))
	maps.Copy(next, p.fields)
	for name, value := range fields {
		entries, collection := value.([]any)
		switch {
		case value == nil:
			delete(next, name)
		case collection: // in the form a caller sends
			d, problems, _ := t.draft(nil, map[string]any{name: entries}, true)
			if len(problems) > 0 {
				panic("icimstest: " + problems[0].message())
			}
			next[name] = d.fields[name]
		default:
			next[name] = value
		}
	}
	t.storePerson(p, next, t.sim.cfg.Now(), true)
}
