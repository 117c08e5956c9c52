package icimstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// filter and group are a search in iCIMS's format.
type filter struct {
	name, op          string
	values, secondary []string
}

type group struct {
	any      bool // operator "|"
	filters  []filter
	children []group
}

type query struct {
	group group
	key   string // equal for equal searches
	stale time.Duration
}

// The messages of the Search API.
const (
	msgNoFilter       = "At least one filter must be specified"
	msgBadFilter      = "The following filter is either not valid or hidden: ["
	msgBadOperator    = "The following filter operator is not valid in the given context: ["
	msgBadGroupOp     = "The following group operator is not valid in the given context: ["
	msgBadFilterAttr  = "The following filter attribute is unrecognized: ["
	msgBadGroupAttr   = "The following group attribute is unrecognized: ["
	msgUnparsable     = "An unknown parsing error occurred"
	defaultStaleness  = 15 * time.Minute
	searchCap         = 1000
	searchErrorStatus = http.StatusBadRequest
)

func searchProblem(detail string) *problem {
	return &problem{code: codeInvalid, detail: detail}
}

// query reads the search of a call from its body or from ?searchJson=. If optional, as for portals,
// there may be none.
func (c *call) query(optional bool) (query, *answer) {
	refused := func(p *problem) *answer { a := refuse(searchErrorStatus, *p); return &a }
	params := c.r.URL.Query()
	q := query{stale: defaultStaleness}
	if s, given := params["staleness"]; given {
		minutes, err := strconv.Atoi(s[0])
		if err != nil || minutes < 0 {
			return q, refused(searchProblem(msgUnparsable))
		}
		q.stale = time.Duration(minutes) * time.Minute
	}
	raw := c.body
	if c.r.Method == http.MethodGet {
		raw = []byte(params.Get("searchJson"))
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		if optional {
			return q, nil
		}
		return q, refused(searchProblem(msgNoFilter))
	}
	g, p := parseGroup(raw)
	if p == nil && !optional && !g.hasFilter() {
		p = searchProblem(msgNoFilter)
	}
	if p != nil {
		return q, refused(p)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return q, refused(searchProblem(msgUnparsable))
	}
	q.group, q.key = g, compact.String()
	return q, nil
}

func (g group) hasFilter() bool {
	for _, child := range g.children {
		if child.hasFilter() {
			return true
		}
	}
	return len(g.filters) > 0
}

func parseGroup(raw []byte) (group, *problem) {
	var g group
	var attrs map[string]json.RawMessage
	if json.Unmarshal(raw, &attrs) != nil || attrs == nil {
		return g, searchProblem(msgUnparsable)
	}
	for _, name := range sortedKeys(attrs) {
		value := attrs[name]
		switch name {
		case "operator":
			var op string
			if json.Unmarshal(value, &op) != nil || op != "&" && op != "|" {
				return g, searchProblem(msgBadGroupOp + op + "]")
			}
			g.any = op == "|"
		case "filters", "children":
			var items []json.RawMessage
			if json.Unmarshal(value, &items) != nil {
				return g, searchProblem(msgUnparsable)
			}
			for _, item := range items {
				var p *problem
				if name == "filters" {
					var f filter
					f, p = parseFilter(item)
					g.filters = append(g.filters, f)
				} else {
					var child group
					child, p = parseGroup(item)
					g.children = append(g.children, child)
				}
				if p != nil {
					return g, p
				}
			}
		default:
			return g, searchProblem(msgBadGroupAttr + name + "]")
		}
	}
	return g, nil
}

func parseFilter(raw []byte) (filter, *problem) {
	f := filter{op: "="}
	var attrs map[string]json.RawMessage
	if json.Unmarshal(raw, &attrs) != nil {
		return f, searchProblem(msgUnparsable)
	}
	if len(attrs) == 0 {
		return f, searchProblem(msgNoFilter)
	}
	for _, name := range sortedKeys(attrs) {
		var err error
		switch name {
		case "name":
			err = json.Unmarshal(attrs[name], &f.name)
		case "operator":
			err = json.Unmarshal(attrs[name], &f.op)
		case "value":
			f.values, err = texts(attrs[name])
		case "secondaryValue":
			f.secondary, err = texts(attrs[name])
		default:
			return f, searchProblem(msgBadFilterAttr + name + "]")
		}
		if err != nil {
			return f, searchProblem(msgUnparsable)
		}
	}
	if f.name == "" {
		return f, searchProblem(msgBadFilter + "]")
	}
	if len(f.values) == 0 {
		return f, searchProblem(msgUnparsable)
	}
	return f, nil
}

var errNotTexts = errors.New("not an array of strings")

// texts decodes an array of strings.
func texts(raw json.RawMessage) ([]string, error) {
	var items []*string
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, err
	}
	out := make([]string, len(items))
	for i, s := range items {
		if s == nil {
			return nil, errNotTexts
		}
		out[i] = *s
	}
	return out, nil
}

// pinned returns the values of a filter that every result must satisfy, so that an index can be
// used.
func (g group) pinned(op string, names ...string) ([]string, bool) {
	if g.any && len(g.filters)+len(g.children) > 1 {
		return nil, false
	}
	for _, f := range g.filters {
		for _, name := range names {
			if f.name == name && f.op == op {
				return f.values, true
			}
		}
	}
	for _, child := range g.children {
		if v, found := child.pinned(op, names...); found {
			return v, true
		}
	}
	return nil, false
}

// after returns the ID that every result must exceed, or 0.
func (g group) after(name string) int64 {
	if v, found := g.pinned(">", name); found && len(v) == 1 {
		return atoi(strings.TrimSpace(v[0]))
	}
	return 0
}
