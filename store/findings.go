package store

import (
	"maps"
	"slices"
)

// maxPerKind is how many violations of one kind are kept for a customer. Further ones are only
// counted, so that checking broken records needs no more memory than checking sound ones.
const maxPerKind = 1000

// Findings are the violations found for a customer.
type Findings struct {
	Violations []Violation `json:"violations"`
	// More counts violations beyond the first 1,000 of their kind, by kind.
	More map[string]int `json:"more_violations,omitempty"`

	kept map[string]int // by kind
}

// NewFindings returns findings without a violation.
func NewFindings() Findings { return Findings{Violations: []Violation{}} }

// Add adds a violation.
func (f *Findings) Add(v Violation) {
	if f.kept[v.Kind] >= maxPerKind {
		if f.More == nil {
			f.More = map[string]int{}
		}
		f.More[v.Kind]++
		return
	}
	if f.kept == nil {
		f.kept = map[string]int{}
	}
	f.kept[v.Kind]++
	f.Violations = append(f.Violations, v)
}

// Count returns the number of violations, including those only counted.
func (f Findings) Count() int {
	n := len(f.Violations)
	for _, more := range f.More {
		n += more
	}
	return n
}

// Join adds the findings of another part of the check.
func (f *Findings) Join(other Findings) {
	for _, v := range other.Violations {
		f.Add(v)
	}
	for kind, n := range other.More {
		if f.More == nil {
			f.More = map[string]int{}
		}
		f.More[kind] += n
	}
}

// Confirmed returns the findings that an earlier check also had. If that check found too many of a
// kind to keep, all of that kind count as confirmed.
func (f Findings) Confirmed(earlier Findings) Findings {
	seen := make(map[Violation]bool, len(earlier.Violations))
	for _, v := range earlier.Violations {
		seen[v.mark()] = true
	}
	both := NewFindings()
	for _, v := range f.Violations {
		if seen[v.mark()] || earlier.More[v.Kind] > 0 {
			both.Add(v)
		}
	}
	for kind, n := range f.More {
		if least := min(n, earlier.More[kind]); least > 0 {
			if both.More == nil {
				both.More = map[string]int{}
			}
			both.More[kind] += least
		}
	}
	return both
}

// clone returns an independent copy.
func (f Findings) clone() Findings {
	return Findings{slices.Clone(f.Violations), maps.Clone(f.More), maps.Clone(f.kept)}
}

// mark returns the violation without numbers that change between checks.
func (v Violation) mark() Violation {
	switch v.Kind {
	case ViolationMarker:
	default:
		v.Text = ""
	}
	return v
}
