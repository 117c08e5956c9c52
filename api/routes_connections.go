package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

func (s *Server) registerConnections() {
	register(s, op{
		ID: "list-connections", Method: http.MethodGet, Path: "/v1/connections", Scope: ScopeRead, Tags: []string{"connections"},
		Summary:     "List connections",
		Description: "Connections of the key's customers, ordered by customer. If the service has a connections file, includes the connections that are only there (`filed`).",
	}, s.listConnections)
	register(s, op{
		ID: "get-connection", Method: http.MethodGet, Path: "/v1/customers/{customer}/connection", Scope: ScopeRead, Tags: []string{"connections"},
		Summary:     "Show a connection",
		Description: "The password is never returned. `ETag` is the revision for an edit; a connection that is only in the connections file (`filed`) has none.",
		Errors:      []Code{CodeNoConnection},
	}, s.getConnection)
	register(s, op{
		ID: "put-connection", Method: http.MethodPut, Path: "/v1/customers/{customer}/connection", Scope: ScopeAdmin, Changes: true, Tags: []string{"connections"},
		Summary: "Add or edit a connection",
		Description: "The body has all settings; omitted settings have their defaults. An edit without a password keeps the current one, unless the edit changes the host " +
			"or the authentication method. An edit requires `why`. `If-Match` refuses the edit if the connection has changed since, `If-None-Match: *` if there is one already. " +
			"Workers apply it within seconds.",
		Errors: []Code{CodeConnectionInvalid, CodeConnectionChanged, CodeConnectionExists, CodeCannotOpen},
	}, s.putConnection)
	register(s, op{
		ID: "delete-connection", Method: http.MethodDelete, Path: "/v1/customers/{customer}/connection", Scope: ScopeAdmin, Changes: true, Tags: []string{"connections"},
		Summary: "Remove a connection",
		Description: "Erases settings and credentials; the history is kept. Waiting exports are kept until there is a connection again, or canceled. Records of exported candidates are " +
			"kept, or erased so that the same candidates can be exported again. Removing a removed connection succeeds, so an interrupted removal can be repeated.",
		Errors: []Code{CodeNoConnection, CodeConnectionChanged},
	}, s.deleteConnection)
	register(s, op{
		ID: "list-connection-history", Method: http.MethodGet, Path: "/v1/customers/{customer}/connection/history", Scope: ScopeRead, Tags: []string{"connections"},
		Summary:     "List a connection's history",
		Description: "Changes and states with time, person and reason: the latest 100 entries, newest first. Kept after the connection is removed.",
		Errors:      []Code{CodeNoConnection},
	}, s.connectionHistory)
}

// Connection is a customer's connection, without its password.
type Connection struct {
	Customer string             `json:"customer" doc:"iCIMS's customer ID." example:"1234"`
	Settings ConnectionSettings `json:"settings" doc:"The settings as entered; omitted settings have their defaults."`
	InUse    ConnectionSettings `json:"in_use" doc:"All settings in use, with defaults."`
	Revision int64              `json:"revision" doc:"Increases with each change of the settings." example:"3"`
	State    string             `json:"state" doc:"The state, explained in docs/connections.md." example:"connected"`
	Reason   store.Reason       `json:"reason,omitempty" doc:"The reason for the state: a code of docs/errors.md or docs/verification.md."`
	Title    string             `json:"title,omitempty" doc:"The reason in words."`
	Hint     string             `json:"hint,omitempty" doc:"The remedy."`
	Since    time.Time          `json:"since,omitzero" doc:"Since when the connection is in this state."`
	Edited   time.Time          `json:"edited,omitzero" doc:"When the settings were last changed."`
	Pause    *store.Pause       `json:"pause,omitempty" doc:"The current pause."`
	Below    string             `json:"below_pause,omitempty" doc:"The state after the pause."`
	Region   string             `json:"region,omitempty" doc:"The portals' data region: US, EU, CA or other."`
	Portals  []string           `json:"portals,omitempty" doc:"The job portals."`
	Problem  string             `json:"problem,omitempty" doc:"The problem of the settings; the connection cannot be used."`
	Sealed   bool               `json:"sealed,omitempty" doc:"The service's keyset does not open the settings."`
	Filed    bool               `json:"filed,omitempty" doc:"The connection is only in the connections file, and edited there. A connection added through the API replaces it."`
	Findings []store.Finding    `json:"findings,omitempty" doc:"Findings of the verification about the customer's iCIMS, with their effect on exports."`
	Verified *Verified          `json:"verified,omitempty" doc:"The latest complete verification; omitted if unreadable, and in the response to a change."`

	DeadLetters int `json:"dead_letters,omitempty" doc:"The customer's dead letters; only in the list."`
	Kept        int `json:"kept_exports,omitempty" doc:"Waiting exports while the lane is blocked, such as by a pause or the daily limit; only in the list."`
}

// Verified is a summary of the last verification.
type Verified struct {
	ID     string        `json:"id" doc:"The verification's ID." example:"abcdefgh234567ij"`
	Ended  time.Time     `json:"ended" doc:"When it ended."`
	Result verify.Result `json:"result" enum:"connected,degraded,refused,incomplete" doc:"The result, explained in docs/verification.md."`
	Worst  *verify.Check `json:"worst,omitempty" doc:"The most severe failed check or warning; omitted if there is none."`
}

// addVerified adds the time and result of the last verification. If one cannot be read, it is left
// out.
func (s *Server) addVerified(ctx context.Context, shown ...*Connection) error {
	customers := make([]string, len(shown))
	for i, c := range shown {
		customers[i] = c.Customer
	}
	done, err := s.Ledger.Control.LastDone(ctx, store.ControlVerify, customers...)
	if err != nil {
		return err
	}
	for _, c := range shown {
		e, ok := done[c.Customer]
		if !ok {
			continue
		}
		v, err := verify.View(e)
		if err != nil {
			s.Log.Error().Str("customer", c.Customer).Str("verification", e.ID).Str("error", kindsOf(err)).Msg("reading a verification failed; its connection is shown without it")
			continue
		}
		c.Verified = &Verified{ID: v.ID, Ended: v.Ended, Result: v.Report.Result}
		if worst, found := v.Report.Worst(); found {
			c.Verified.Worst = &worst
		}
	}
	return nil
}

func connectionOf(v admin.ConnectionView) Connection {
	shown := Connection{
		Customer: v.Customer, Settings: settingsOf(v.Connection), Revision: v.Revision, State: string(v.State), Reason: v.Reason,
		Since: v.Since.UTC(), Edited: v.Edited, Pause: v.Pause, Region: v.Region, Portals: v.Portals, Problem: v.Problem, Sealed: v.Sealed, Filed: v.Filed,
	}
	if v.Settled() {
		shown.InUse, shown.Findings = settingsOf(v.WithDefaults()), v.Profile.Findings()
	}
	if v.Reason != "" {
		info := v.Reason.Info()
		shown.Title, shown.Hint = info.Title, info.Hint
	}
	if v.Pause != nil {
		shown.Below = string(v.Below())
	}
	return shown
}

// Connections is a page of connections.
type Connections struct {
	Connections []Connection `json:"connections"`
	Next        string       `json:"next,omitempty" doc:"The cursor of the next page; omitted on the last page."`
}

func (s *Server) listConnections(ctx context.Context, in *struct {
	CustomerPage

	Removed bool `query:"removed" doc:"Include removed connections."`
}) (*struct{ Body Connections }, error) {
	page, next, err := s.Admin.Connections.Page(ctx, admin.ConnectionQuery{Removed: in.Removed, May: principalOf(ctx).May, After: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := Connections{Connections: make([]Connection, len(page)), Next: next}
	shown := make([]*Connection, len(page))
	for i, c := range page {
		out.Connections[i] = connectionOf(c)
		shown[i] = &out.Connections[i]
	}
	if err := s.addVerified(ctx, shown...); err != nil {
		return nil, err
	}
	return &struct{ Body Connections }{out}, s.addExports(ctx, out.Connections...)
}

// CustomerPage are the parameters of a page ordered by customer.
type CustomerPage struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Page size."`
	Cursor string `query:"cursor" pattern:"^[0-9]{1,18}$" doc:"The previous page's next."`
}

type connectionOutput struct {
	Status int
	ETag   string `header:"ETag" doc:"The revision, for If-Match."` //nolint:tagliatelle // as HTTP spells it
	Body   Connection
}

func shownConnection(status int, v admin.ConnectionView) *connectionOutput {
	out := &connectionOutput{Status: status, Body: connectionOf(v)}
	if !v.Filed {
		out.ETag = `"` + strconv.FormatInt(v.Revision, 10) + `"`
	}
	return out
}

func (s *Server) getConnection(ctx context.Context, in *struct{ CustomerPath }) (*connectionOutput, error) {
	v, err := s.Admin.Connections.Show(ctx, in.Customer)
	if err != nil {
		return nil, err
	}
	shown := shownConnection(http.StatusOK, v)
	return shown, s.addVerified(ctx, &shown.Body)
}

// ConnectionHistory is the history of a connection.
type ConnectionHistory struct {
	Events []store.ConnectionEvent `json:"events" doc:"Newest first."`
}

func (s *Server) connectionHistory(ctx context.Context, in *struct{ CustomerPath }) (*struct{ Body ConnectionHistory }, error) {
	events, err := s.Ledger.Connections.History(ctx, in.Customer)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, store.ErrNoConnection
	}
	return &struct{ Body ConnectionHistory }{ConnectionHistory{events}}, nil
}

// RevisionMatch is the revision that a change expects.
type RevisionMatch struct {
	IfMatch string `header:"If-Match" maxLength:"100" doc:"The revision to change, from ETag; omit it or send * for any." example:"\"3\""`
}

// revision returns the expected revision; 0 for any.
func (m RevisionMatch) revision() (int64, error) {
	text := strings.TrimSpace(m.IfMatch)
	if text == "" || text == "*" {
		return 0, nil
	}
	revision, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(text, "W/"), `"`), 10, 64)
	if err != nil || revision <= 0 {
		return 0, problem(CodeInvalid, "", FieldProblem{"header.If-Match", "is not a revision", "send the ETag header's value, or omit it"})
	}
	return revision, nil
}
