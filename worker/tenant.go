package worker

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// tenant is what a lane has learned about its customer's iCIMS, so that each
// lesson costs calls only once.
type tenant struct {
	mu             sync.Mutex
	emailCase      emailCase
	noPhoneTypes   bool
	refused        map[string]int // refusals in a row, by field
	status         store.NodeRef
	statusSettled  bool // status is what this tenant takes
	statusSearched bool // existing workflows were looked at for it
	pairFailures   int  // questions for the workflow of a pair in a row that had no answer; below 0: one had
}

// How many questions for the workflow of a person and job go without an answer before
// this customer's iCIMS is taken to have none. One answer proves that it has. What
// verification saw is an answer about a pair that is linked.
const (
	muteAfter         = 5
	muteAfterVerified = 20
)

func (t *tenant) pairIsMute(known store.Answer) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known == store.Yes {
		return t.pairFailures >= muteAfterVerified
	}
	return known == store.No || t.pairFailures >= muteAfter
}

func (t *tenant) pairSpoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pairFailures = -1
}

func (t *tenant) pairFailed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pairFailures >= 0 {
		t.pairFailures++
	}
}

// dropAfter is how often in a row a field is refused before it is left out from
// the start: a collection or custom field that the tenant does not have, rather
// than a value that it does not like.
const dropAfter = 3

func newTenant(conn store.Connection, settle time.Duration) *tenant {
	return &tenant{emailCase: emailCase{settle: settle, now: time.Now}, refused: map[string]int{}, status: conn.Status}
}

// prepare takes out of a person's fields what the tenant is known to refuse.
func (t *tenant) prepare(f icims.Fields) (icims.Fields, []Warning) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ws warnings
	if _, sent := f[fieldPhones]; sent && t.noPhoneTypes {
		f = withoutPhoneTypes(f)
		ws.add(WarningPhoneTypeDropped)
	}
	for name, times := range t.refused {
		if _, sent := f[name]; sent && times >= dropAfter {
			f = without(f, name)
			ws.add(fieldRefused(name))
		}
	}
	return f, ws
}

// accepted notes that the fields were taken.
func (t *tenant) accepted(f icims.Fields) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range f {
		delete(t.refused, name)
	}
}

// requiredFields are the fields without which no person can be made.
var requiredFields = []string{fieldFirstName, fieldLastName, fieldEmail}

// relent returns the fields without what iCIMS has just refused of them, or
// false where that cannot be left out. Nothing is left of the fields of one phone
// whose number is refused.
func (t *tenant) relent(f icims.Fields, err *icims.Error) (icims.Fields, []Warning, bool) {
	if err.Reason != icims.ReasonFieldRefused || len(err.Fields()) == 0 {
		return nil, nil, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var ws warnings
	for _, named := range err.Fields() {
		isType := named == fieldPhoneType || strings.HasSuffix(named, "."+fieldPhoneType)
		name, held := holder(f, named)
		if _, onePhone := f[fieldPhoneNumber]; onePhone {
			name, held = fieldPhones, true
		}
		switch {
		case !held || slices.Contains(requiredFields, name):
			return nil, nil, false
		// Where the phones as a whole are refused it may be for their types.
		case name == fieldPhones && hasPhoneTypes(f) && (isType || named == fieldPhones):
			f = withoutPhoneTypes(f)
			t.noPhoneTypes = t.noPhoneTypes || isType
			ws.add(WarningPhoneTypeDropped)
			continue
		case f[fieldPhoneNumber] != nil:
			f = icims.Fields{}
		default:
			f = without(f, name)
			t.refused[name]++
		}
		ws.add(fieldRefused(name))
	}
	return f, ws, true
}

// holder returns the top-level field that iCIMS means: it may name a child of a
// collection, or a path into one.
func holder(f icims.Fields, named string) (string, bool) {
	if _, ok := f[named]; ok {
		return named, true
	}
	first, _, _ := strings.Cut(named, ".")
	first, _, _ = strings.Cut(first, "[")
	if _, ok := f[first]; ok {
		return first, true
	}
	for name, value := range f {
		entries, _ := value.([]icims.Fields)
		for _, entry := range entries {
			if _, ok := entry[named]; ok {
				return name, true
			}
		}
	}
	return "", false
}

// hasPhoneTypes reports whether any phone of the fields, or the one phone that
// they are, has a type.
func hasPhoneTypes(f icims.Fields) bool {
	if _, ok := f[fieldPhoneType]; ok {
		return true
	}
	phones, _ := f[fieldPhones].([]icims.Fields)
	return slices.ContainsFunc(phones, hasPhoneTypes)
}
