package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

func (s *Server) registerConnections() {
	register(s, op{
		ID: "list-connections", Method: http.MethodGet, Path: "/v1/connections", Scope: ScopeRead, Tags: []string{"connections"},
		Summary:     "List connections",
		Description: "Those of the key's customers, ordered by customer, page by page. Where the service was given the file of connections, those that stand only there are among them (`filed`).",
	}, s.listConnections)
	register(s, op{
		ID: "get-connection", Method: http.MethodGet, Path: "/v1/customers/{customer}/connection", Scope: ScopeRead, Tags: []string{"connections"},
		Summary:     "Show a connection",
		Description: "The password is never shown. `ETag` is the revision that an edit names; one that stands only in the file of connections (`filed`) has none.",
		Errors:      []Code{CodeNoConnection},
	}, s.getConnection)
	register(s, op{
		ID: "put-connection", Method: http.MethodPut, Path: "/v1/customers/{customer}/connection", Scope: ScopeAdmin, Changes: true, Tags: []string{"connections"},
		Summary: "Enter or edit a connection",
		Description: "The body holds all settings; what is left out has its default. An edit without a password keeps the old one, unless it would send it to another host " +
			"or in another way, and needs `why`. With `If-Match` it is refused where somebody else has changed the connection since, with `If-None-Match: *` where there is one already. " +
			"Workers take it up within seconds.",
		Errors: []Code{CodeConnectionInvalid, CodeConnectionChanged, CodeConnectionExists, CodeCannotOpen},
	}, s.putConnection)
	register(s, op{
		ID: "delete-connection", Method: http.MethodDelete, Path: "/v1/customers/{customer}/connection", Scope: ScopeAdmin, Changes: true, Tags: []string{"connections"},
		Summary: "Remove a connection",
		Description: "Erases settings and credentials; the history stays. Exports that wait are kept until there is a connection again, or cancelled; who was exported before is " +
			"kept, or erased, so that they would be sent again. One that is removed already is no error, so that a removal that broke off can be repeated.",
		Errors: []Code{CodeNoConnection, CodeConnectionChanged},
	}, s.deleteConnection)
	register(s, op{
		ID: "list-connection-history", Method: http.MethodGet, Path: "/v1/customers/{customer}/connection/history", Scope: ScopeRead, Tags: []string{"connections"},
		Summary:     "Tell what happened to a connection",
		Description: "Who changed it, when and why, and how it stood since: the latest 100 entries, the latest first. It outlives the connection.",
		Errors:      []Code{CodeNoConnection},
	}, s.connectionHistory)
}

// Connection is a customer's connection, without its password.
type Connection struct {
	Customer string             `json:"customer" doc:"iCIMS's customer id." example:"1234"`
	Settings ConnectionSettings `json:"settings" doc:"The settings that were entered; what is left out has its default."`
	InUse    ConnectionSettings `json:"in_use" doc:"The settings with their defaults, as the workers use them."`
	Revision int64              `json:"revision" doc:"Grows with each change of the settings." example:"3"`
	State    string             `json:"state" doc:"How it stands: docs/connections.md has the states." example:"connected"`
	Reason   store.Reason       `json:"reason,omitempty" doc:"Why it is in that state: a code of docs/errors.md or docs/verification.md."`
	Title    string             `json:"title,omitempty" doc:"The reason in words."`
	Hint     string             `json:"hint,omitempty" doc:"What to do about it."`
	Since    time.Time          `json:"since,omitzero" doc:"When it came into that state."`
	Edited   time.Time          `json:"edited,omitzero" doc:"When the settings were last changed."`
	Pause    *store.Pause       `json:"pause,omitempty" doc:"The pause that is in force."`
	Below    string             `json:"below_pause,omitempty" doc:"The state that it has once the pause is over."`
	Region   string             `json:"region,omitempty" doc:"The data region of its portals: US, EU, CA or other."`
	Portals  []string           `json:"portals,omitempty" doc:"Its job portals, one by one."`
	Problem  string             `json:"problem,omitempty" doc:"What is wrong with its settings, so that it cannot be used."`
	Sealed   bool               `json:"sealed,omitempty" doc:"The service's keyset does not open the settings."`
	Filed    bool               `json:"filed,omitempty" doc:"The store has none (absent): this is the one of the file of connections, and changes only there. One that is entered takes its place."`
	Findings []store.Finding    `json:"findings,omitempty" doc:"What verification has found out about the customer's iCIMS, and what it means for exports."`
	Verified *Verified          `json:"verified,omitempty" doc:"Its latest verification that was done; left out where it cannot be read, and in the answer to a change of it."`

	DeadLetters int `json:"dead_letters,omitempty" doc:"In the list alone: how many exports of the customer were given up and wait for somebody."`
	Kept        int `json:"kept_exports,omitempty" doc:"In the list alone: how many exports wait while something keeps the customer's, such as a pause or a day whose calls are used up; the lane tells what."`
}

// Verified is a verification that was done, in short.
type Verified struct {
	ID     string        `json:"id" doc:"The verification's id." example:"abcdefgh234567ij"`
	Ended  time.Time     `json:"ended" doc:"When it ended."`
	Result verify.Result `json:"result" enum:"connected,degraded,refused,incomplete" doc:"How it came out: docs/verification.md explains the results."`
	Worst  *verify.Check `json:"worst,omitempty" doc:"The check that speaks most against the connection; left out where none does."`
}

// addVerified tells when connections were verified last, and what came of it. What cannot
// be read of one is left out: the others are well.
func (s *Server) addVerified(ctx context.Context, shown ...*Connection) error {
	customers := make([]string, len(shown))
	for i, c := range shown {
		customers[i] = c.Customer
	}
	done, err := s.Ledger.LastDone(ctx, store.ControlVerify, customers...)
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
			s.Log.Error().Str("customer", c.Customer).Str("verification", e.ID).Str("error", kindsOf(err)).Msg("a verification cannot be read: its connection is shown without")
			continue
		}
		c.Verified = &Verified{ID: v.ID, Ended: v.Ended, Result: v.Report.Result}
		if worst, found := v.Report.Worst(); found {
			c.Verified.Worst = &worst
		}
	}
	return nil
}

func connectionOf(v operate.ConnectionView) Connection {
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
	Next        string       `json:"next,omitempty" doc:"The cursor of the next page; left out at the end."`
}

func (s *Server) listConnections(ctx context.Context, in *struct {
	CustomerPage

	Removed bool `query:"removed" doc:"Also those that were removed."`
}) (*struct{ Body Connections }, error) {
	page, next, err := s.Desk.ConnectionPage(ctx, operate.ConnectionQuery{Removed: in.Removed, May: principalOf(ctx).May, After: in.Cursor, Limit: in.Limit})
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

// CustomerPage is a part of a list that is ordered by customer.
type CustomerPage struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many at most."`
	Cursor string `query:"cursor" pattern:"^[0-9]{1,18}$" doc:"The next of the page before."`
}

type connectionOutput struct {
	Status int
	ETag   string `header:"ETag" doc:"The revision, for If-Match."` //nolint:tagliatelle // as HTTP spells it
	Body   Connection
}

func shownConnection(status int, v operate.ConnectionView) *connectionOutput {
	out := &connectionOutput{Status: status, Body: connectionOf(v)}
	if !v.Filed {
		out.ETag = `"` + strconv.FormatInt(v.Revision, 10) + `"`
	}
	return out
}

func (s *Server) getConnection(ctx context.Context, in *struct{ CustomerPath }) (*connectionOutput, error) {
	v, err := s.Desk.ShowConnection(ctx, in.Customer)
	if err != nil {
		return nil, err
	}
	shown := shownConnection(http.StatusOK, v)
	return shown, s.addVerified(ctx, &shown.Body)
}

// ConnectionHistory is what happened to a connection.
type ConnectionHistory struct {
	Events []store.ConnectionEvent `json:"events" doc:"The latest first."`
}

func (s *Server) connectionHistory(ctx context.Context, in *struct{ CustomerPath }) (*struct{ Body ConnectionHistory }, error) {
	events, err := s.Ledger.ConnectionHistory(ctx, in.Customer)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, store.ErrNoConnection
	}
	return &struct{ Body ConnectionHistory }{ConnectionHistory{events}}, nil
}

// RevisionMatch is what a change asks of the revision that it is made to.
type RevisionMatch struct {
	IfMatch string `header:"If-Match" maxLength:"100" doc:"The revision that may be changed, as ETag gave it; left out, or *, for any." example:"\"3\""`
}

// revision is the one that may be changed; 0 for any.
func (m RevisionMatch) revision() (int64, error) {
	text := strings.TrimSpace(m.IfMatch)
	if text == "" || text == "*" {
		return 0, nil
	}
	revision, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(text, "W/"), `"`), 10, 64)
	if err != nil || revision <= 0 {
		return 0, problem(CodeInvalid, "", FieldProblem{"header.If-Match", "is no revision", "give one as the header ETag had it, or leave it out"})
	}
	return revision, nil
}
