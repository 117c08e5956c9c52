package flows

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// An administrator ends the session of an open page, and the page says so without a reload.
func TestOpenPageReportsEndedSession(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.connect()
	if err := s.ledger.Lanes.Pause(t.Context(), customer, store.Pause{By: "a test", Why: "so that the batch does not end"}); err != nil {
		t.Fatal(err)
	}
	sent, err := tasks.NewClient(s.redis, s.ledger).Enqueue(t.Context(), input.Batch{
		Customer: customer, Candidates: input.Candidates(input.Candidate{ID: "c-1", FirstName: "Ana", LastName: "Lytic", Email: "ana@example.com"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	reader := s.login(api.ScopeRead)
	reader.visit("/customers/" + customer + "/batches/" + string(sent.Batch))
	reader.sees("0 of 1 candidate done")

	admin := s.login(api.ScopeAdmin)
	admin.visit("/")
	admin.goes("Maria")
	admin.sees("Open sessions of all API keys", "Tom", "this session")
	admin.audit("sessions")
	admin.goes("End session " + s.sessionOf("Tom"))
	admin.sees("Session ended.")
	admin.lacks("Tom")

	reader.sees("Your session has ended", "in another tab")
}

// sessionOf returns the ID of the session of the key with that name.
func (s *service) sessionOf(name string) string {
	s.t.Helper()
	all, err := s.ledger.Access.Sessions(s.t.Context(), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, x := range all {
		if x.Name == name {
			return x.ID
		}
	}
	s.t.Fatalf("no session of %s in %+v", name, all)
	return ""
}
