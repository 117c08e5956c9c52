package icimstest

import (
	"encoding/json"
	"testing"
)

// FuzzQuery looks for searches that are accepted although they are not JSON, or that break the
// compilation into a predicate.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		`{"filters":[` + byEmail("a@example.com") + `]}`,
		`{"operator":"|","children":[{"filters":[{"name":"person.id","value":["1","2"],"operator":">="}]}]}`,
		`{"filters":[{"name":"person.createddate","value":["2026-03-30 02:07 PM"],"secondaryValue":["2026-04-01"]}]}`,
		`{"filters":[{"name":"person.idCSV","value":["1,2,x"]}]}`, `{"filters":null}`, `{"children":[null]}`, `[]`, `{"filters":[{"value":[null]}]}`,
	} {
		f.Add([]byte(seed))
	}
	sim := New(calm())
	tenant := sim.AddTenant(TenantConfig{Customer: customer, Username: "user", Password: "secret"})
	tenant.AddPerson(map[string]any{"email": "a@example.com"})
	p := tenant.people[90001]
	f.Fuzz(func(t *testing.T, raw []byte) {
		g, problem := parseGroup(raw)
		if problem != nil {
			return
		}
		if !json.Valid(raw) {
			t.Fatalf("taken in: %q", raw)
		}
		match, problem := compile(&g, tenant.customFilters(), tenant.behaviour)
		if problem != nil {
			return
		}
		// The index must contain every hit.
		if match(personHit{tenant, p, p.fields}) && len(tenant.candidatePeople(g)) != 1 {
			t.Errorf("the index misses a hit of %s", raw)
		}
	})
}
