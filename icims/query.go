package icims

import (
	"strings"
)

// Operators of filters and groups (API sheet §7).
const (
	// OpExact compares text as a whole. Whether it heeds case is not
	// documented: compare what comes back.
	OpExact = "=="
	// OpEqual compares numbers, dates and nodes; of text it means "contains".
	OpEqual   = "="
	OpGreater = ">"
	OpLess    = "<"
	// OpAnd and OpOr join filters and children of a group.
	OpAnd = "&"
	OpOr  = "|"
)

// MaxSearchResults is the number of hits in one answer at most.
const MaxSearchResults = 1000

// Query is a group of filters and further groups (API sheet §7).
type Query struct {
	Filters []Filter `json:"filters,omitempty"`
	// Operator joins them; empty means OpAnd.
	Operator string  `json:"operator,omitempty"`
	Children []Query `json:"children,omitempty"`

	// Staleness is the acceptable age of the result in minutes. Zero, the
	// default, has iCIMS search live.
	Staleness int `json:"-"`
}

// Filter compares one attribute with values. Several values mean any of them where
// the attribute is a list. Of text that is not documented: there each value takes a
// filter of its own, in a group with OpOr.
type Filter struct {
	Name           string   `json:"name"`
	Value          []string `json:"value"`
	Operator       string   `json:"operator,omitempty"`
	SecondaryValue []string `json:"secondaryValue,omitempty"`
}

// EmailQuery finds the people with any of the addresses, by one filter for each in
// a group with OpOr. op is OpExact or, for "contains", OpEqual. Blank addresses are
// left out, since they would match everybody; with none left the search is refused
// before it is sent.
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

// check refuses what iCIMS would refuse, and what it would take for "all".
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
