package worker

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
)

// tenant is what a lane has learned about its customer's iCIMS, so that each
// lesson costs calls only once.
type tenant struct {
	mu        sync.Mutex
	emailCase emailCase
	fields    map[string]*fieldHistory // by name
	values    map[string]int           // how often one value of a field was refused
	// names are those of the two collections of a person's history.
	names        store.FieldNames
	status       statusInfo
	pairFailures int // questions for the workflow of a pair in a row that had no answer; below 0: one had
	// sample says of which exports it is kept what they sent.
	sample *rate.Limiter
}

// Of as many exports it is kept what they sent, and then of one a second. More are not of
// use: a day keeps no more either.
const (
	sampleAtOnce    = store.KeptSent
	samplePerSecond = 1
)

// How many questions for the workflow of a person and job go without an answer before
// this customer's iCIMS is taken to have none. One answer proves that it has. What
// verification saw is an answer about a pair that is linked.
const (
	unsupportedAfter         = 5
	unsupportedAfterVerified = 20
)

func (t *tenant) pairUnsupported(known store.Answer) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known == store.Yes {
		return t.pairFailures >= unsupportedAfterVerified
	}
	return known == store.No || t.pairFailures >= unsupportedAfter
}

func (t *tenant) pairAnswered() {
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

func newTenant(conn store.Connection, settle time.Duration) *tenant {
	return &tenant{
		emailCase: emailCase{settle: settle, now: time.Now}, fields: map[string]*fieldHistory{}, values: map[string]int{},
		names: conn.WithDefaults().Fields, status: newStatusInfo(conn),
		sample: rate.NewLimiter(samplePerSecond, sampleAtOnce),
	}
}

// requiredFields are the fields without which no person can be made.
var requiredFields = []string{mapping.FieldFirstName, mapping.FieldLastName, mapping.FieldEmail}

// aboutField is the warning that a field, or a part of it, is not in iCIMS. What a
// person's history lacks is owed.
func (t *tenant) aboutField(name, child string) []mapping.Warning {
	switch {
	case name == mapping.FieldPhones && child == mapping.FieldPhoneType:
		return []mapping.Warning{mapping.WarningPhoneTypeDropped}
	case name == mapping.FieldFolder:
		return []mapping.Warning{mapping.WarningFolderDropped}
	case name == t.names.Education.Collection:
		return []mapping.Warning{mapping.WarningFieldRefused.About(name), mapping.WarningEducationOwed}
	case name == t.names.WorkExperience.Collection:
		return []mapping.Warning{mapping.WarningFieldRefused.About(name), mapping.WarningExperienceOwed}
	}
	return []mapping.Warning{mapping.WarningFieldRefused.About(name)}
}

// worthwhile reports whether an entry of a collection still says something.
func (t *tenant) hasContent(collection string, entry icims.Fields) bool {
	has := func(names ...string) bool {
		for _, name := range names {
			if entry[name] != nil {
				return true
			}
		}
		return false
	}
	switch collection {
	case mapping.FieldPhones:
		return has(mapping.FieldPhoneNumber)
	case t.names.WorkExperience.Collection:
		return has(t.names.WorkExperience.Employer, t.names.WorkExperience.Title)
	}
	return len(entry) > 0
}
