package icims

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// SearchPeople returns the IDs of at most MaxSearchResults people, without duplicates (API sheet
// §7).
func (c *Client) SearchPeople(ctx context.Context, q Query) ([]PersonID, *Response, error) {
	return search[PersonID](ctx, c, opSearchPeople, q)
}

// SearchWorkflows returns the IDs of at most MaxSearchResults recruiting workflows, without
// duplicates (API sheet §7).
func (c *Client) SearchWorkflows(ctx context.Context, q Query) ([]WorkflowID, *Response, error) {
	return search[WorkflowID](ctx, c, opSearchWorkflows, q)
}

func search[ID ~int64](ctx context.Context, c *Client, op Op, q Query) ([]ID, *Response, error) {
	if err := q.check(); err != nil {
		return nil, nil, badRequest(op, err)
	}
	req, err := c.newRequest(ctx, op, nil, staleness(q.Staleness), q)
	if err != nil {
		return nil, nil, err
	}
	ans, resp, err := c.bareDo(req)
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusNotFound && onlyCode(e.Problems, codeNotFound) {
		return nil, resp, nil
	}
	if err != nil {
		return nil, resp, err
	}
	rows, err := ans.rows(codeNotFound, int(c.nobodyCode.Load()))
	if err != nil {
		return nil, resp, err
	}
	ids := make([]ID, 0, len(rows))
	seen := make(map[int64]bool, len(rows))
	for _, row := range rows {
		if !seen[row.id] {
			seen[row.id] = true
			ids = append(ids, ID(row.id))
		}
	}
	return ids, resp, nil
}

// maxPages stops paging if a faulty server never ends it.
const maxPages = 1000

func staleness(minutes int) string { return "staleness=" + strconv.Itoa(minutes) }

// row is one search result. The ID comes from "id" or, if that is missing, from the end of "self".
type row struct {
	id                       int64
	self, portalURL, updated string
}

func (r *row) UnmarshalJSON(b []byte) error {
	var doc struct {
		ID          json.RawMessage `json:"id"`
		Self        text            `json:"self"`
		PortalURL   text            `json:"portalUrl"`
		UpdatedDate text            `json:"updatedDate"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return errRow
	}
	*r = row{self: string(doc.Self), portalURL: string(doc.PortalURL), updated: string(doc.UpdatedDate)}
	if len(doc.ID) > 0 && string(doc.ID) != "null" {
		return unmarshalID(&r.id, doc.ID)
	}
	u, err := url.Parse(r.self)
	if err != nil {
		return errRow
	}
	path := strings.TrimRight(u.Path, "/")
	r.id, err = parseID([]byte(path[strings.LastIndex(path, "/")+1:]))
	return err
}

var errRow error = detail("search result without a readable id")

// NobodyShape is how a search reports that it found nothing (API sheet §7): with an empty list or,
// as in a sample of iCIMS's documentation, with an object "errors".
type NobodyShape struct {
	// Errors is set for the object.
	Errors bool
	// Code is the code of the object's problems, or CodeUnknown.
	Code int
}

// Nobody runs a search for people that must find nothing, and returns the shape of the response. A
// search with results is an error.
func (c *Client) Nobody(ctx context.Context, q Query) (NobodyShape, *Response, error) {
	ids, resp, err := c.SearchPeople(ctx, q)
	e, failed := errors.AsType[*Error](err)
	switch {
	case failed && e.Reason == ReasonBadAnswer && e.Status < 300 && len(e.Problems) > 0 && onlyCode(e.Problems, e.Problems[0].Code):
		return NobodyShape{Errors: true, Code: e.Problems[0].Code}, resp, nil
	case err != nil:
		return NobodyShape{}, resp, err
	case len(ids) > 0:
		return NobodyShape{}, resp, &Error{Op: opSearchPeople.Name, Class: ClassPermanent, Reason: ReasonBadAnswer, Status: resp.Status, Sent: SentYes, Err: errUnexpectedHit}
	case resp.Status == http.StatusNotFound:
		return NobodyShape{Errors: true, Code: codeNotFound}, resp, nil
	case resp.noList:
		return NobodyShape{Errors: true, Code: resp.Warnings[0].Code}, resp, nil
	}
	return NobodyShape{}, resp, nil
}

var errUnexpectedHit error = detail("a search without results has a hit")

// WithNobodyCode makes searches read an object "errors" whose problems all have this code as
// "nothing found", as they do for code 2. Pass the code that [Client.Nobody] returned for this
// customer; 0 changes nothing.
func WithNobodyCode(code int) Option {
	return func(c *Client) error {
		c.KnowNobody(code)
		return nil
	}
}

// KnowNobody is WithNobodyCode for a client in use, as during a verification.
func (c *Client) KnowNobody(code int) {
	if code != codeInternal {
		c.nobodyCode.Store(int64(code))
	}
}

func onlyCode(problems []Problem, codes ...int) bool {
	other := func(p Problem) bool { return !slices.Contains(codes, p.Code) }
	return len(problems) > 0 && !slices.ContainsFunc(problems, other)
}

// rows reads search results. A response without a list is an error, never "nothing found": that
// would create people twice. The exception is an object "errors" whose codes all mean that nothing
// was found.
func (a *answer) rows(nobody ...int) ([]row, error) {
	var doc struct {
		Results json.RawMessage `json:"searchResults"`
	}
	if err := a.decode(&doc); err != nil {
		return nil, err
	}
	if len(doc.Results) == 0 || string(doc.Results) == "null" {
		if onlyCode(a.Warnings, nobody...) {
			a.noList = true
			return nil, nil
		}
		return nil, a.bad(ReasonBadAnswer, detail("no searchResults"))
	}
	var rows []row
	if err := json.Unmarshal(doc.Results, &rows); err != nil {
		return nil, a.bad(ReasonBadAnswer, err)
	}
	for _, r := range rows {
		if r.id == 0 {
			return nil, a.bad(ReasonBadAnswer, errRow)
		}
	}
	return rows, nil
}
