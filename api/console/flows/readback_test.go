package flows

import (
	"testing"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/icims/icimstest"
)

func TestReadBackNamesMissingFields(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.connect()
	b := s.login(api.ScopeAdmin)
	b.visit("/connections/" + customer)
	b.goes("Read back…")
	b.sees("No exported candidates. There is nothing to read back.")
	b.lacks("Not enough calls")
	b.audit("read-back, nothing to read")

	b.visit("/customers/" + customer + "/export")
	b.picks("recruiter", "Technical Recruiter")
	b.click("Paste candidates")
	b.fill("Candidates", csv(0, exported))
	b.goes("Export")
	b.sees("Export complete", "12 of 12 candidates done")
	b.readsBack("12 people and 12 workflows: up to 24 calls")
	b.sees("Everything arrived", "iCIMS has what was sent.", "12 people, 0 gone; 12 workflows, 0 gone", "100%")
	b.audit("read-back, clean")

	// A user of iCIMS removes a person, and most last names.
	tenant := s.sim.Tenant(customer)
	people := tenant.People()
	tenant.Purge(people[0].ID)
	for _, p := range people[1:9] {
		tenant.ClearFields(p.ID, "lastname")
	}
	s.sim.AddRule(icimstest.Rule{Customer: customer, Route: "people.get", Email: address(exported - 1), Times: -1, Fault: icimstest.Slow})
	s.gate.close()
	b.readsBack("12 people and 12 workflows: up to 24 calls")
	b.sees("Reading back…")
	b.audit("read-back, under way")
	b.stays(func() {
		s.gate.open()
		b.sees("11 people, 1 gone", "Run by Maria")
	})
	b.sees("3 problems", "The field last_name was sent 11 times and is in iCIMS 3 times.")
	b.audit("read-back, fields are missing")
	b.goes("Connection")
	b.sees("Read-backs", "11 people, 1 gone", "12 people, 0 gone")
	b.audit("connection, read back")
}

// readsBack starts a read-back of the default sample, with the expected cost.
func (b *tab) readsBack(cost string) {
	b.t.Helper()
	b.visit("/connections/" + customer)
	b.goes("Read back…")
	b.sees(cost)
	b.audit("read-back, cost")
	b.goes("Read back")
}
