package api

import "testing"

func TestLimitsAreNamedInProse(t *testing.T) {
	for message, want := range map[string][2]string{
		"expected length >= 1":    {isMissing, ""},
		"expected length >= 8":    {"is too short", "use at least 8 characters"},
		"expected length <= 1":    {"is too long", "use at most 1 character"},
		"expected length <= 1000": {"is too long", "use at most 1,000 characters"},
	} {
		if found, remedy := findingOf(message); found != want[0] || remedy != want[1] {
			t.Errorf("%s: %q, %q; want %q", message, found, remedy, want)
		}
	}
}

func TestMissingReasonIsRefused(t *testing.T) {
	for field, want := range map[string]string{"why": "give a reason", "query.why": "give a reason", "name": "add it", "whys.not": "add it"} {
		if p := missing(field); p.Problem != "is missing" || p.Remedy != want {
			t.Errorf("%s: %+v, want %q", field, p, want)
		}
	}
}
