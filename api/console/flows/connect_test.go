package flows

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

// entersConnection goes from the list of connections to the saved form, with the given password.
func (b *tab) entersConnection(s *service, secret string) {
	b.t.Helper()
	b.sees("No connections yet.")
	b.audit("integrations, none yet")
	b.goes("Add connection")
	b.sees("Capabilities")
	b.audit("connection, capabilities")
	b.fill("Field for the profile link", "field51001")
	b.goes("Continue to credentials")
	b.audit("connection, credentials")
	b.fill("Customer ID", customer)
	b.fill("Username", user)
	b.fill("Password", secret)
	b.fill("Job portals", s.icims.PortalURL(customer, 1)+"\n"+s.icims.PortalURL(customer, 2))
	b.goes("Save and verify")
	b.sees("Connection saved.", "Export a test candidate")
}

// correctsPassword goes from a failed verification to the saved form.
func (b *tab) correctsPassword() {
	b.t.Helper()
	b.goes("Edit connection")
	b.fill("Password", password)
	b.fill("Reason", "the password was mistyped")
	b.goes("Save and verify")
	b.sees("Changes saved.")
}

func TestConnectionIsAddedExplainedAndCorrected(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b := s.login(api.ScopeAdmin)
	b.entersConnection(s, "guessed")
	b.audit("verification, about to begin")
	b.goes("Verify")
	b.sees("Edit connection", "iCIMS refuses the user name or password.", "Next step:")
	b.audit("verification, wrong password")
	if n := s.sim.Invariants().People; n != 0 {
		t.Errorf("%d people are in iCIMS", n)
	}

	b.correctsPassword()
	b.goes("Verify")
	b.sees("Connected", "The test candidate is person")
	b.audit("verification, connected")
	b.goes("View connection")
	b.sees("The last verification passed all checks")
	b.audit("connection")
	b.goes("Jobs")
	b.sees("Data Engineer", "Embedded Firmware Developer")
	b.audit("jobs")
	b.fill("Search by title, number or location", "nurse")
	b.sees("1 job")
	b.lacks("Data Engineer")
	s.connect(func(c *store.Connection) { c.Customer, c.PortalURLs = other, s.icims.PortalURL(other, 1) })
	s.connect(func(c *store.Connection) { c.Customer, c.PortalURLs = "8642", s.icims.PortalURL("8642", 1) })
	if err := s.ledger.Lanes.Pause(t.Context(), other, store.Pause{By: "Kim", At: time.Now(), Why: "their iCIMS is being maintained"}); err != nil {
		t.Fatal(err)
	}
	b.visit("/")
	b.sees("connected", "paused", "Paused by Kim: their iCIMS is being maintained", "not verified")
	b.audit("integrations")

	c, err := s.ledger.Connections.Get(t.Context(), customer)
	if err != nil || c.State != store.ConnectionConnected {
		t.Errorf("the connection is %q, %v", c.State, err)
	}
	if seen := s.sim.Invariants(); seen.People != 1 || seen.Workflows != 1 || len(seen.Violations()) > 0 {
		t.Errorf("the test candidate: %+v", seen)
	}

	b.goes("Connection of customer 1234")
	b.goes("Remove…")
	b.audit("connection, about to remove")
	b.fill("Reason", "they left us")
	b.goes("Remove connection of customer 1234")
	b.sees("Settings and credentials are erased")
	b.audit("connection, removed")
}
