package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/seekout/icims-export/store"
)

func (s *Server) registerSessions() {
	register(s, op{
		ID: "list-sessions", Method: http.MethodGet, Path: "/v1/sessions", Scope: scopeAny, Tags: []string{"service"},
		Summary: "List console sessions",
		Description: "Open console sessions of this API key, newest first. A key with the `admin` scope and all customers sees the sessions of all keys. " +
			"A session's ID grants no access.",
	}, s.listSessions)
	register(s, op{
		ID: "end-session", Method: http.MethodDelete, Path: "/v1/sessions/{session}", Scope: scopeAny, Tags: []string{"service"}, Errors: []Code{CodeNoSession},
		Summary: "End a console session",
		Description: "Open pages and uploads of the session end within seconds. The API key stays valid: revoke it with `icims-export apikeys revoke`. " +
			"Recorded in the audit log. The session ends even if the audit log cannot be written.",
		Status: http.StatusNoContent,
	}, s.endSession)
}

// SessionList lists console sessions.
type SessionList struct {
	Sessions []store.Session `json:"sessions" doc:"Newest first."`
}

func (s *Server) listSessions(ctx context.Context, _ *struct{}) (*struct{ Body SessionList }, error) {
	all, err := s.sessionsFor(ctx)
	if err != nil {
		return nil, err
	}
	return &struct{ Body SessionList }{SessionList{all}}, nil
}

// sessionsFor returns the sessions that the caller may see and end.
func (s *Server) sessionsFor(ctx context.Context) ([]store.Session, error) {
	all, err := s.Ledger.Access.Sessions(ctx, s.Now())
	if err != nil {
		return nil, err
	}
	p := principalOf(ctx)
	if p.Has(ScopeAdmin) && p.Customers == nil {
		return all, nil
	}
	return slices.DeleteFunc(all, func(x store.Session) bool { return x.Key != p.Key }), nil
}

type endSessionInput struct {
	Session string `path:"session" pattern:"^[a-z2-7]{16}$" doc:"The session's ID." example:"abcdefgh234567ij"`
}

func (s *Server) endSession(ctx context.Context, in *endSessionInput) (*struct{}, error) {
	all, err := s.sessionsFor(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(all, func(x store.Session) bool { return x.ID == in.Session }) {
		return nil, problem(CodeNoSession, "")
	}
	req := requestOf(ctx)
	req.note.Object = in.Session
	if err := s.enter(ctx, req, store.JournalAsked, ""); err != nil {
		// Access must end even if the audit log cannot be written.
		s.Log.Error().Str("request", req.id).Str("key", req.principal.Key).Str("session", in.Session).Msg("session ended without a record: writing the audit log failed")
	}
	err = s.Ledger.Access.EndSession(ctx, in.Session)
	s.logOutcome(ctx, req, err)
	return nil, err
}
