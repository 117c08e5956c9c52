package console

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

// results is a page of the results of a batch.
type results struct {
	Customer, Batch string
	Outcome, Reason string
	Rows            []result
	// Hints explain each reason on the page once.
	Hints []reasonHint
	// Ended counts the ended exports by reason; nil if the batch did not count all of them.
	Ended []api.EndTally
	// More is the URL of the next page; "" on the last page.
	More  string
	Later bool // not the first page
	// Lives means that the results may change.
	Lives bool
	// Accepted is the number of accepted candidates.
	Accepted int
}

// result is the result of one candidate.
type result struct{ admin.Outcome }

// Word returns the outcome, or the state of an open export.
func (r result) Word() string {
	switch {
	case r.State == store.Dead:
		return string(store.Dead)
	case r.State.Ended():
		return cmp.Or(string(r.Counter), string(r.State))
	}
	return string(r.State)
}

// reasonHint is a reason with its remedy.
type reasonHint struct{ Code, Title, Hint string }

// outcomes are the API's names of outcomes, for the filter.
var outcomes = []string{"created", "updated", "skipped", "dead", "cancelled", "moving"}

// Outcomes returns the choices of the outcome filter.
func (results) Outcomes() []string { return outcomes }

// reasonChoice is a choice of the reason filter.
type reasonChoice struct {
	Code, Title string
	// Count is the number of the batch's exports that ended for this reason; 0 for reasons that
	// only postpone exports.
	Count int
}

// Reasons returns the choices of the reason filter by title: reasons of ended exports, those on the
// page, and the selected one. If the batch did not count all of its reasons, it returns every
// reason.
func (r results) Reasons() []reasonChoice {
	var choices []reasonChoice
	add := func(reason store.Reason, count int) {
		if reason == "" {
			return
		}
		for i := range choices {
			if choices[i].Code == string(reason) {
				choices[i].Count += count
				return
			}
		}
		choices = append(choices, reasonChoice{string(reason), reason.Info().Title, count})
	}
	for _, e := range r.Ended {
		add(e.Reason, e.Count)
	}
	if r.Ended == nil {
		for _, reason := range store.Reasons() {
			add(reason, 0)
		}
	}
	for _, row := range r.Rows {
		add(row.Reason, 0)
	}
	add(store.Reason(r.Reason), 0)
	slices.SortFunc(choices, func(x, y reasonChoice) int { return cmp.Compare(x.Title, y.Title) })
	return choices
}

// Filtered reports whether a filter is set.
func (r results) Filtered() bool { return r.Outcome != "" || r.Reason != "" }

// Path returns the URL of the batch's page.
func (r results) Path() string { return batchPage(r.Customer, r.Batch) }

// Part returns the URL from which htmx refreshes the results.
func (r results) Part() string { return r.Path() + "/results" + r.query("") }

func (r results) query(cursor string) string {
	q := url.Values{}
	for name, value := range map[string]string{"outcome": r.Outcome, "reason": r.Reason, "cursor": cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

const (
	shownResults = 100
	// maxEmptyPages limits the number of empty pages read in a row: the API returns empty pages if a
	// filter skips many rows.
	maxEmptyPages = 10
)

// results reads the page of results in the URL.
func (v *visit) results(s batchProgress) (results, error) {
	q := v.r.URL.Query()
	r := results{
		Customer: v.Customer, Batch: string(s.ID), Outcome: q.Get("outcome"), Reason: q.Get("reason"), Later: q.Get("cursor") != "",
		Lives: !s.Over(), Accepted: s.Accepted,
	}
	cursor := q.Get("cursor")
	for range maxEmptyPages {
		ask := url.Values{"limit": {strconv.Itoa(shownResults)}, "count": {"true"}}
		for name, value := range map[string]string{"outcome": r.Outcome, "reason": r.Reason, "cursor": cursor} {
			if value != "" {
				ask.Set(name, value)
			}
		}
		var list api.ResultList
		if err := v.get(v.batchPath("results"), ask, &list); err != nil {
			return r, err
		}
		r.take(list.Results)
		r.Ended = list.ByReason
		cursor = list.Next
		if len(r.Rows) > 0 || cursor == "" {
			break
		}
	}
	if cursor != "" {
		r.More = r.Path() + r.query(cursor) + "#results"
	}
	return r, nil
}

func (r *results) take(rows []admin.Outcome) {
	for _, o := range rows {
		r.Rows = append(r.Rows, result{o})
		known := slices.ContainsFunc(r.Hints, func(h reasonHint) bool { return h.Code == string(o.Reason) })
		if o.Reason != "" && !known {
			r.Hints = append(r.Hints, reasonHint{string(o.Reason), o.Title, o.Hint})
		}
	}
}
