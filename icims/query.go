package icims

import (
	"strings"
)

// Operators of filters and groups (API sheet §7).
const (
	// OpExact compares the whole text. Whether it is case-sensitive is not documented: compare the
	// results yourself.
	OpExact = "=="
	// OpEqual compares numbers, dates and nodes; for text it means "contains".
	OpEqual   = "="
	OpGreater = ">"
	OpLess    = "<"
	// OpAnd and OpOr join filters and children of a group.
	OpAnd = "&"
	OpOr  = "|"
)

// MaxSearchResults is the maximum number of results in one response.
const MaxSearchResults = 1000

// Query is a group of filters and further groups (API sheet §7).
type Query struct {
	Filters []Filter `json:"filters,omitempty"`
	// Operator joins the filters and groups; empty means OpAnd.
	Operator string  `json:"operator,omitempty"`
	Children []Query `json:"children,omitempty"`

	// Staleness is the acceptable age of the result, in minutes. Zero, the default, means a live
	// search.
	Staleness int `json:"-"`
}

// Filter compares one attribute with values. For list attributes several values mean any of them.
// For text this is not documented: use one filter per value, in a group with OpOr.
type Filter struct {
	Name           string   `json:"name"`
	Value          []string `json:"value"`
	Operator       string   `json:"operator,omitempty"`
	SecondaryValue []string `json:"secondaryValue,omitempty"`
}

// EmailQuery finds the people with any of the addresses, with one filter each in a group with OpOr.
// op is OpExact or, for "contains", OpEqual. Blank addresses are left out, since they would match
// everyone. With no address left, the search is refused before it is sent.
func EmailQuery(op string, emails ...string) Query {
	var q Query
	seen := make(map[string]bool, len(emails))
	for _, e := range emails {
		if e = strings.TrimSpace(e); e != "" && !seen[e] {
			seen[e] = true
			q.Filters = append(q.Filters, Filter{Name: "person.email", Value: []string{e}, Operator: op})
		}
	}
	if len(q.Filters) > 1 {
		q.Operator = OpOr
	}
	return q
}

// PersonJobQuery finds the workflow that links a person to a job (API sheet
// §9.2).
func PersonJobQuery(person PersonID, job JobID) Query {
	return Query{
		Filters: []Filter{
			{Name: "applicantworkflow.person.id", Value: []string{person.String()}},
			{Name: "applicantworkflow.job.id", Value: []string{job.String()}},
		},
		Operator: OpAnd,
	}
}

// check refuses queries that iCIMS would refuse or would read as "all".
func (q Query) check() error {
	if len(q.Filters) == 0 && len(q.Children) == 0 {
		return detail("a search needs at least one filter")
	}
	if q.Staleness < 0 {
		return detail("staleness must not be below zero")
	}
	for _, f := range q.Filters {
		if f.Name == "" {
			return detail("a filter needs a name")
		}
		if len(f.Value) == 0 {
			return detail("filter " + f.Name + " needs a value")
		}
	}
	for _, child := range q.Children {
		if err := child.check(); err != nil {
			return err
		}
	}
	return nil
}
