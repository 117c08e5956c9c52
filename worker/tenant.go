package worker

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
)

// tenant is what a lane has learned about its customer's iCIMS, so that calls for it are made
// only once.
type tenant struct {
	mu        sync.Mutex
	emailCase emailCase
	fields    map[string]*fieldHistory // by name
	values    map[string]int           // how often each value of a field was refused
	// names are the field names of a person's history.
	names        store.FieldNames
	status       statusInfo
	pairFailures int // failed reads of a pair's workflow in a row; -1: one succeeded
	// sample limits for which exports a digest of what they sent is kept.
	sample *rate.Limiter
}

// Digests are kept for a burst of exports, then for one per second. More are useless: a day keeps
// no more.
const (
	sampleAtOnce    = store.KeptSent
	samplePerSecond = 1
)

// The failed reads of a pair's workflow after which the tenant counts as not supporting them. One
// success proves the support. Verification only proves it for a linked pair.
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

// requiredFields are the fields that iCIMS requires of a person.
var requiredFields = []string{mapping.FieldFirstName, mapping.FieldLastName, mapping.FieldEmail}

// aboutField returns the warnings for a field, or a part of it, that is not in iCIMS. Missing
// history is owed.
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

// hasContent reports whether an entry of a collection is still worth sending.
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
