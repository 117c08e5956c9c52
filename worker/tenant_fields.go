package worker

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
)

// fieldHistory is what is known about one field of the tenant's people. One refused value says
// nothing about the field. Several different ones do, unless another value was accepted.
type fieldHistory struct {
	accepted bool
	refused  map[string]bool // different values
	left     int             // how often the field was left out
}

// acceptedField is the history of every field with an accepted value. It never changes.
var acceptedField = &fieldHistory{accepted: true}

const (
	// dropAfter is how many different values of a field are refused before the field is left out,
	// and how often one value is refused before that value is.
	dropAfter = 3
	// dropHistoryAfter is dropAfter for education and work experience, whose values differ from
	// person to person: many may be refused in a row of a field that the tenant has.
	dropHistoryAfter = 20
	// probeEvery is how often a field that is left out is sent all the same: it may be accepted.
	probeEvery = 10
	// maxValues bounds the refused values that are kept.
	maxValues = 10_000
)

// request is the content of one call: fields of a person, or one entry of a collection.
type request struct {
	collection string // of the entry; empty: a person
	fields     icims.Fields
	// held are entries to be added one by one: iCIMS refuses a value of one of them without
	// saying which.
	held []request
	// dropped are optional fields that were left out one after the other, because iCIMS refuses a
	// field without naming it. The request is accepted without the last one.
	dropped []request
	// update: the person exists, so no field is required.
	update bool
}

// prepare removes what the tenant is known to refuse from a request.
func (t *tenant) prepare(r *request) []mapping.Warning {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ws mapping.WarningSet
	if r.collection != "" {
		ws.Add(t.prepareEntry(r.collection, r)...)
		return ws
	}
	for _, name := range sortedNames(r.fields) {
		if t.leavesOut(name) || t.refuses(name, r.fields[name]) {
			r.fields = without(r.fields, name)
			ws.Add(t.aboutField(name, "")...)
			continue
		}
		entries, _ := r.fields[name].([]icims.Fields)
		var kept []icims.Fields
		for _, entry := range entries {
			e := request{collection: name, fields: entry}
			ws.Add(t.prepareEntry(name, &e)...)
			if len(e.fields) > 0 {
				kept = append(kept, e.fields)
			}
		}
		r.setEntries(name, kept, len(entries) > 0)
	}
	return ws
}

// leavesOut reports whether a field is left out this time. The caller holds mu.
func (t *tenant) leavesOut(name string) bool {
	known := t.fields[name]
	if known == nil || known.accepted || len(known.refused) < t.dropFieldAfter(name) {
		return false
	}
	known.left++
	return known.left%probeEvery != 0
}

func (t *tenant) dropFieldAfter(name string) int {
	if name == t.names.Education.Collection || name == t.names.WorkExperience.Collection {
		return dropHistoryAfter
	}
	return dropAfter
}

func (t *tenant) prepareEntry(collection string, e *request) []mapping.Warning {
	var ws mapping.WarningSet
	if t.refuses(collection, []icims.Fields{e.fields}) {
		e.fields = icims.Fields{}
		ws.Add(t.aboutField(collection, "")...)
		return ws
	}
	for _, child := range sortedNames(e.fields) {
		if t.refuses(collection+"."+child, e.fields[child]) {
			e.fields = without(e.fields, child)
			ws.Add(t.aboutField(collection, child)...)
		}
	}
	if !t.hasContent(collection, e.fields) {
		e.fields = icims.Fields{}
	}
	return ws
}

// setEntries replaces the entries of a collection that was sent. It removes an empty collection.
func (r *request) setEntries(name string, entries []icims.Fields, sent bool) {
	switch {
	case !sent:
	case len(entries) == 0:
		r.fields = without(r.fields, name)
	default:
		r.fields = without(r.fields)
		r.fields[name] = entries
	}
}

// accepted records the accepted fields.
func (t *tenant) accepted(r request, warned map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	take := func(name string) {
		if !warned[name] {
			t.fields[name] = acceptedField
		}
	}
	if r.collection != "" {
		take(r.collection)
		return
	}
	for name := range r.fields {
		take(name)
	}
}

// dropRefused removes what iCIMS has just refused from a request. It returns false if that is
// required.
func (t *tenant) dropRefused(r *request, err *icims.Error) ([]mapping.Warning, bool) {
	if err.Reason != icims.ReasonFieldRefused && err.Reason != icims.ReasonFieldRequired {
		return nil, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(err.Fields()) == 0 {
		return t.dropOptional(r, err.Reason == icims.ReasonFieldRequired)
	}
	// The refusal was about a named field all along.
	r.held, r.dropped = slices.Concat(r.dropped, r.held), nil
	var ws mapping.WarningSet
	named := 0
	for _, p := range err.Problems {
		if p.Field == "" {
			continue
		}
		named++
		about, ok := t.dropRefusedField(r, p)
		if !ok {
			return nil, false
		}
		ws.Add(about...)
	}
	return ws, named > 0
}

// dropOptional leaves out what iCIMS does not require: it refused a field without naming it. First
// the entries of all collections are held, then the other fields are left out one by one, but not
// if a value is missing. It returns false if nothing is left to leave out.
func (t *tenant) dropOptional(r *request, lacks bool) ([]mapping.Warning, bool) {
	if r.collection != "" {
		return t.dropRefusedEntry(r, "", false), true
	}
	holds := false
	for _, name := range sortedNames(r.fields) {
		if entries, ok := r.fields[name].([]icims.Fields); ok {
			r.hold(name, entries, func(icims.Fields) bool { return true })
			holds = true
		}
	}
	if holds {
		return nil, true
	}
	// The folder comes last: without it, iCIMS chooses one.
	names := slices.DeleteFunc(sortedNames(r.fields), func(name string) bool {
		return slices.Contains(requiredFields, name) || name == mapping.FieldFolder
	})
	if r.fields[mapping.FieldFolder] != nil {
		names = append(names, mapping.FieldFolder)
	}
	if len(names) == 0 || lacks {
		return nil, false
	}
	r.drop(names[0])
	return nil, true
}

// drop leaves out a field that may be the refused one.
func (r *request) drop(name string) {
	r.dropped = append(r.dropped, request{collection: r.collection, fields: icims.Fields{name: r.fields[name]}, update: true})
	r.fields = without(r.fields, name)
}

// blame records the field without which iCIMS accepted a request, and holds those that were left
// out before it: they may be accepted.
func (t *tenant) blame(r *request) []mapping.Warning {
	if len(r.dropped) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	last := len(r.dropped) - 1
	refused := r.dropped[last]
	r.held, r.dropped = slices.Concat(r.dropped[:last], r.held), nil
	var ws mapping.WarningSet
	for name, value := range refused.fields {
		if r.collection != "" {
			t.remember(valueKey(r.collection+"."+name, value))
			ws.Add(t.aboutField(r.collection, name)...)
			continue
		}
		t.refuseField(name, value)
		ws.Add(t.aboutField(name, "")...)
	}
	return ws
}

// aboutRequests returns the warnings for entries and fields that are not in iCIMS.
func (t *tenant) aboutRequests(left []request) []mapping.Warning {
	var ws mapping.WarningSet
	for _, r := range left {
		if r.collection != "" {
			ws.Add(t.aboutField(r.collection, "")...)
			continue
		}
		for _, name := range sortedNames(r.fields) {
			ws.Add(t.aboutField(name, "")...)
		}
	}
	return ws
}

func (t *tenant) dropRefusedField(r *request, p icims.Problem) ([]mapping.Warning, bool) {
	name, child, ok := r.locate(p.Field)
	switch {
	case r.collection != "":
		return t.dropRefusedEntry(r, child, p.Required()), ok
	case !ok:
		return nil, r.alreadyHeld(p.Field) // named twice
	case slices.Contains(requiredFields, name):
		if !r.update || p.Required() {
			return nil, false
		}
		// Not recorded: a create needs the field.
		r.fields = without(r.fields, name)
		return t.aboutField(name, ""), true
	}
	entries, isCollection := r.fields[name].([]icims.Fields)
	switch {
	case p.Required() && child != "":
		return t.dropLacking(r, name, child, entries)
	case p.Required():
		return nil, false
	case !isCollection || child == "" && len(entries) == 1 && !hasPhoneTypes(icims.Fields{name: entries}):
		t.refuseField(name, r.fields[name])
		r.fields = without(r.fields, name)
		return t.aboutField(name, ""), true
	case child == "": // nothing is known about the entries until each is sent by itself
		r.hold(name, entries, func(icims.Fields) bool { return true })
		return nil, true
	}
	var different []any
	for _, e := range entries {
		if v := e[child]; v != nil && !slices.ContainsFunc(different, func(o any) bool { return valueKey("", o) == valueKey("", v) }) {
			different = append(different, v)
		}
	}
	if len(different) > 1 {
		r.hold(name, entries, func(e icims.Fields) bool { return e[child] != nil })
		return nil, true
	}
	var kept []icims.Fields
	for _, entry := range entries {
		e := request{collection: name, fields: entry}
		if entry[child] != nil {
			t.dropChild(&e, child)
		}
		if len(e.fields) > 0 {
			kept = append(kept, e.fields)
		}
	}
	r.setEntries(name, kept, true)
	return t.aboutField(name, child), true
}

// dropRefusedEntry removes a value from an entry, or empties the entry.
func (t *tenant) dropRefusedEntry(e *request, child string, required bool) []mapping.Warning {
	if child == "" && !required && e.fields[mapping.FieldPhoneType] != nil {
		e.drop(mapping.FieldPhoneType) // iCIMS may refuse the whole entry for its type
		return nil
	}
	e.dropped = nil
	switch {
	case required:
		e.fields = icims.Fields{}
	case child == "":
		t.refuseField(e.collection, []icims.Fields{e.fields})
		e.fields = icims.Fields{}
	default:
		t.dropChild(e, child)
	}
	return t.aboutField(e.collection, child)
}

// dropChild removes a refused value from an entry. It empties an entry without content.
func (t *tenant) dropChild(e *request, child string) {
	if key := valueKey(e.collection+"."+child, e.fields[child]); key != "" {
		t.remember(key)
	}
	e.fields = without(e.fields, child)
	if !t.hasContent(e.collection, e.fields) {
		e.fields = icims.Fields{}
	}
}

// dropLacking removes the entries without a value that the tenant requires.
func (t *tenant) dropLacking(r *request, name, child string, entries []icims.Fields) ([]mapping.Warning, bool) {
	kept := slices.DeleteFunc(slices.Clone(entries), func(e icims.Fields) bool { return e[child] == nil })
	if len(kept) == len(entries) {
		return nil, false
	}
	r.setEntries(name, kept, true)
	return t.aboutField(name, ""), true
}

// refuseField records a refused value of a field.
func (t *tenant) refuseField(name string, value any) {
	history := t.fields[name]
	if history == nil {
		history = &fieldHistory{refused: map[string]bool{}}
		t.fields[name] = history
	}
	key := valueKey(name, value)
	if !history.accepted && len(history.refused) < t.dropFieldAfter(name) {
		history.refused[key] = true
	}
	t.remember(key)
}

// workflowSource is the key of a workflow's source among the refused values.
const workflowSource = "applicantworkflow." + mapping.FieldSource

// takesSource reports whether the tenant accepts the connection's source in workflows.
func (t *tenant) takesSource(conn store.Connection) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.refuses(workflowSource, conn.Source)
}

// refuseSource records that iCIMS refused a workflow for its source.
func (t *tenant) refuseSource(conn store.Connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remember(valueKey(workflowSource, conn.Source))
}

func (t *tenant) remember(key string) {
	if len(t.values) >= maxValues {
		clear(t.values)
	}
	t.values[key]++
}

// hold moves entries of a collection to held.
func (r *request) hold(name string, entries []icims.Fields, suspect func(icims.Fields) bool) {
	var kept []icims.Fields
	for _, e := range entries {
		if suspect(e) {
			r.held = append(r.held, request{collection: name, fields: e})
		} else {
			kept = append(kept, e)
		}
	}
	r.setEntries(name, kept, true)
}

// alreadyHeld reports whether a name refers to a collection whose entries are held.
func (r *request) alreadyHeld(named string) bool {
	for _, h := range r.held {
		if _, _, ok := h.locate(named); ok {
			return true
		}
	}
	return false
}

// locate returns the field and child that iCIMS means. It may name a field, a path such as
// education[0].school, or a child alone.
func (r *request) locate(named string) (name, child string, ok bool) {
	parts := slices.DeleteFunc(strings.FieldsFunc(named, func(c rune) bool { return c == '.' || c == '[' || c == ']' }), func(part string) bool {
		return strings.Trim(part, "0123456789") == ""
	})
	if len(parts) == 0 {
		return "", "", false
	}
	first, last := parts[0], parts[len(parts)-1]
	if r.collection != "" {
		if first == r.collection && len(parts) > 1 {
			return r.collection, last, true
		}
		_, has := r.fields[named]
		if first == r.collection {
			return r.collection, "", true
		}
		return r.collection, named, has
	}
	if _, has := r.fields[first]; has {
		if len(parts) == 1 {
			last = ""
		}
		return first, last, true
	}
	for _, name := range sortedNames(r.fields) {
		entries, _ := r.fields[name].([]icims.Fields)
		if slices.ContainsFunc(entries, func(e icims.Fields) bool { return e[named] != nil }) {
			return name, named, true
		}
	}
	return "", "", false
}

// hasPhoneTypes reports whether any phone has a type.
func hasPhoneTypes(f icims.Fields) bool {
	phones, _ := f[mapping.FieldPhones].([]icims.Fields)
	return slices.ContainsFunc(phones, func(p icims.Fields) bool { return p[mapping.FieldPhoneType] != nil })
}

// refuses reports whether a value of a field is known to be refused. The caller holds mu.
func (t *tenant) refuses(name string, value any) bool {
	return len(t.values) > 0 && t.values[valueKey(name, value)] >= dropAfter
}

// valueKey returns a key for a value of a field; empty: it cannot be encoded.
func valueKey(name string, value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return name + "\x00" + string(data)
}

func sortedNames(f icims.Fields) []string {
	names := make([]string, 0, len(f))
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// without returns a copy of f without the named fields.
func without(f icims.Fields, names ...string) icims.Fields {
	out := make(icims.Fields, len(f))
	maps.Copy(out, f)
	for _, name := range names {
		delete(out, name)
	}
	return out
}
