package icimstest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// writeCounts counts writes to people that existed before the call.
type writeCounts struct {
	experience, education, employees, purged int
}

// fillTime is how long after the first entry of a history further entries count as the same write.
const fillTime = time.Minute

// noteWrite counts what a write to an existing person changed. add means that the write adds an
// entry and changes no other.
func (t *Tenant) noteWrite(p *person, now time.Time, add bool, collections ...string) {
	touched := func(name string) bool {
		switch {
		case !slices.Contains(collections, name):
			return false
		case len(entriesOf(p.fields[name])) == 0:
			if p.filled == nil {
				p.filled = map[string]time.Time{}
			}
			p.filled[name] = now
			return false
		}
		at, filled := p.filled[name]
		return !add || !filled || now.Sub(at) > fillTime
	}
	if touched(t.cfg.WorkExperience.Collection) {
		t.writes.experience++
	}
	if touched(t.cfg.Education.Collection) {
		t.writes.education++
	}
	if p.purged() {
		t.writes.purged++
	}
	folder, _ := p.fields["folder"].(node)
	if strings.HasPrefix(folder.Value, "Emp:") || strings.HasPrefix(folder.Value, "HM:") {
		t.writes.employees++
	}
}

// Invariants counts what an export must never do, as seen from iCIMS.
type Invariants struct {
	// DuplicateProfiles are addresses shared by several people, except purged and merged people.
	DuplicateProfiles  []DuplicateProfile  `json:"duplicate_profiles"`
	DuplicateWorkflows []DuplicateWorkflow `json:"duplicate_workflows"`
	// CallsOverLimit counts calls beyond a daily limit, CallsOverRate and CallsOverInFlight calls
	// beyond the other limits.
	CallsOverLimit    int `json:"calls_over_limit"`
	CallsOverRate     int `json:"calls_over_rate"`
	CallsOverInFlight int `json:"calls_over_in_flight"`
	// ExperienceWrites and EducationWrites are accepted writes to these collections of existing
	// people with a history.
	ExperienceWrites int `json:"experience_writes"`
	EducationWrites  int `json:"education_writes"`
	// EmployeeWrites counts writes to people in an Emp: or HM: folder, PurgedWrites those to merged
	// people or people in the Purge folder.
	EmployeeWrites int `json:"employee_writes"`
	PurgedWrites   int `json:"purged_writes"`
	People         int `json:"people"` // without purged people
	Workflows      int `json:"workflows"`
}

// DuplicateProfile is an address with the people who share it.
type DuplicateProfile struct {
	Customer string  `json:"customer"`
	Email    string  `json:"email"`
	IDs      []int64 `json:"ids"`
}

// DuplicateWorkflow is a person and job with more than one workflow.
type DuplicateWorkflow struct {
	Customer string  `json:"customer"`
	Person   int64   `json:"person"`
	Job      int64   `json:"job"`
	IDs      []int64 `json:"ids"`
}

// Violations lists what must never happen: duplicates and calls beyond a limit. It is empty if
// there are none, and contains no personal data.
func (i Invariants) Violations() []string {
	var out []string
	for _, d := range i.DuplicateProfiles {
		out = append(out, fmt.Sprintf("customer %s: people %v share one e-mail address", d.Customer, d.IDs))
	}
	for _, d := range i.DuplicateWorkflows {
		out = append(out, fmt.Sprintf("customer %s: workflows %v link person %d to job %d", d.Customer, d.IDs, d.Person, d.Job))
	}
	if i.CallsOverLimit > 0 {
		out = append(out, fmt.Sprintf("%d calls beyond the daily limit", i.CallsOverLimit))
	}
	if i.CallsOverRate > 0 {
		out = append(out, fmt.Sprintf("%d calls beyond the limit of calls per second", i.CallsOverRate))
	}
	if i.CallsOverInFlight > 0 {
		out = append(out, fmt.Sprintf("%d calls beyond the limit of calls in flight", i.CallsOverInFlight))
	}
	return out
}

// Invariants returns the counts over all tenants.
func (s *Simulator) Invariants() Invariants {
	inv := Invariants{DuplicateProfiles: []DuplicateProfile{}, DuplicateWorkflows: []DuplicateWorkflow{}}
	tenants := s.Tenants()
	slices.SortFunc(tenants, func(a, b *Tenant) int { return strings.Compare(a.cfg.Customer, b.cfg.Customer) })
	for _, t := range tenants {
		t.invariants(&inv)
	}
	return inv
}

func (t *Tenant) invariants(inv *Invariants) {
	seen := t.Traffic()
	inv.CallsOverLimit += seen.OverDay
	inv.CallsOverRate += seen.OverRate
	inv.CallsOverInFlight += seen.OverInFlight
	t.mu.RLock()
	defer t.mu.RUnlock()
	inv.ExperienceWrites += t.writes.experience
	inv.EducationWrites += t.writes.education
	inv.EmployeeWrites += t.writes.employees
	inv.PurgedWrites += t.writes.purged
	inv.Workflows += len(t.flows)
	for _, p := range t.people {
		if !p.purged() {
			inv.People++
		}
	}
	for _, email := range sortedKeys(t.emails.whole) {
		if len(t.emails.whole[email]) < 2 {
			continue
		}
		if ids := t.holders(email); len(ids) > 1 {
			inv.DuplicateProfiles = append(inv.DuplicateProfiles, DuplicateProfile{t.cfg.Customer, email, sorted(ids)})
		}
	}
	start := len(inv.DuplicateWorkflows)
	for key, ids := range t.byPair {
		if len(ids) > 1 {
			inv.DuplicateWorkflows = append(inv.DuplicateWorkflows, DuplicateWorkflow{t.cfg.Customer, key.person, key.job, slices.Clone(ids)})
		}
	}
	slices.SortFunc(inv.DuplicateWorkflows[start:], func(a, b DuplicateWorkflow) int { return compareInt(a.IDs[0], b.IDs[0]) })
}
