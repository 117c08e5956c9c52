package icimstest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRules(t *testing.T) {
	// statuses returns the responses to n reads of the customer.
	statuses := func(b *bench, n int) []int {
		var out []int
		for range n {
			out = append(out, b.do("GET", "", "").status)
		}
		return out
	}
	cases := []struct {
		name string
		rule Rule
		want []int
	}{
		{"injects once", Rule{Fault: Error503}, []int{503, 200, 200, 200}},
		{"injects Times times", Rule{Fault: Error503, Times: 2}, []int{503, 503, 200, 200}},
		{"injects from Nth on", Rule{Fault: Error503, Nth: 2, Times: 2}, []int{200, 503, 503, 200}},
		{"injects always", Rule{Fault: Error503, Times: -1}, []int{503, 503, 503, 503}},
		{"matches a route", Rule{Route: "people.create", Fault: Error503, Times: -1}, []int{200, 200, 200, 200}},
		{"matches a customer", Rule{Customer: "99", Fault: Error503, Times: -1}, []int{200, 200, 200, 200}},
		{"matches by predicate", Rule{Match: func(c Call) bool { return c.Seq == 3 }, Fault: Error503}, []int{200, 200, 503, 200}},
		{"matches a method", Rule{Method: "GET", Fault: Error503}, []int{503, 200, 200, 200}},
		{"answers any status", Rule{Fault: StatusBefore, Status: 408}, []int{408, 200, 200, 200}},
		{"may show a page with status 200", Rule{Fault: HTMLError, Status: 200}, []int{200, 200, 200, 200}},
	}
	for _, tc := range cases {
		t.Run("a rule "+tc.name, func(t *testing.T) {
			b := open(t, calm())
			b.sim.AddRule(tc.rule)
			if diff := cmp.Diff(tc.want, statuses(b, 4)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("a rule by e-mail follows the person", func(t *testing.T) {
		b := open(t, calm())
		id := b.tenant.AddPerson(map[string]any{"firstname": "A", "lastname": "D", "email": "ANA.duarte@example.com"})
		b.sim.AddRule(Rule{Email: "ana.duarte@example.com", Fault: Error503, Times: -1})
		b.must(503, "POST", "/people", ana+"}")
		b.must(503, "GET", "/people/"+itoa(id), "")
		b.must(503, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":`+itoa(id)+`}`)
		b.must(201, "POST", "/people", `{"firstname":"Bo","lastname":"Ek","email":"bo@example.com"}`)
	})
	t.Run("a rule may delay", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			sim := New(Config{Latency: Latency{None: true}})
			sim.AddTenant(TenantConfig{Customer: customer, Username: "user", Password: "secret"})
			sim.AddRule(Rule{Fault: Slow, Delay: 25 * time.Second})
			start := time.Now()
			if _, err := post(t.Context(), sim, "/people", ana+"}"); err != nil || time.Since(start) != 25*time.Second {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		})
	})
	t.Run("cleared rules inject nothing", func(t *testing.T) {
		b := open(t, calm())
		b.sim.AddRule(Rule{Fault: Error503, Times: -1})
		b.sim.ClearRules()
		b.must(200, "GET", "", "")
	})
}
