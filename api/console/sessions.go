package console

import (
	"net/http"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

func (c *Console) registerSessions() {
	c.handle("GET /sessions", "sessions", api.ScopeRead, (*visit).sessions)
	c.handle("POST /sessions/{session}/end", "sessions", api.ScopeRead, (*visit).endSession)
}

// sessionsPage lists the sessions that the user may end.
type sessionsPage struct {
	Sessions []shownSession
	// AllKeys means that the list has the sessions of all API keys.
	AllKeys       bool
	Idle, Longest time.Duration
}

type shownSession struct {
	store.Session

	// Own marks the session of this page.
	Own bool
}

var saidSessionEnded = say("session-ended", "Session ended.")

func (v *visit) sessions() error {
	var list api.SessionList
	if err := v.get("/v1/sessions", nil, &list); err != nil {
		return err
	}
	page := sessionsPage{AllKeys: v.May(api.ScopeAdmin) && v.Who.AllCustomers, Idle: v.Idle, Longest: sessionTime}
	for _, s := range list.Sessions {
		page.Sessions = append(page.Sessions, shownSession{s, s.ID == v.session.ID})
	}
	return v.page("sessions", "Sessions", page)
}

func (v *visit) endSession() error {
	id := v.r.PathValue("session")
	err := v.call(http.MethodDelete, apiPath("sessions", id), nil, nil, nil)
	if refused, ok := refusalOf(err); ok && refused.Code == api.CodeNoSession {
		return v.redirect("/sessions", "") // it has already ended
	}
	if err != nil {
		return err
	}
	return v.redirect("/sessions", saidSessionEnded)
}
