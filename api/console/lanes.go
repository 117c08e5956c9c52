package console

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

func (c *Console) registerLanes() {
	c.handle("GET /lanes", "lanes", api.ScopeRead, (*visit).showLanes)
	c.handle("GET /customers/{customer}/lane", "lanes", api.ScopeRead, (*visit).showLane)
	c.handle("POST /customers/{customer}/lane/pause", "lanes", api.ScopeOperate, (*visit).pauseLane)
	c.handle("POST /customers/{customer}/lane/resume", "lanes", api.ScopeOperate, (*visit).resumeLane)
}

// lanesPage is the list of customers and their states.
type lanesPage struct {
	admin.LaneList

	Rows []laneRow
	// Summary counts the states.
	Summary string
	All     bool
	// Self is the URL of this page, Other that of the list with or without idle customers, and More
	// that of the next page.
	Self, Other, More string
	AsOf              time.Time
}

// shownLanes is the page size.
const shownLanes = 200

func (v *visit) showLanes() error {
	asked := v.r.URL.Query()
	p := lanesPage{All: asked.Get("all") != "", AsOf: v.Now()}
	query, cursor := url.Values{"limit": {strconv.Itoa(shownLanes)}}, asked.Get("cursor")
	if p.All {
		query.Set("all", "true")
	}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	if err := v.get("/v1/lanes", query, &p.LaneList); err != nil {
		return err
	}
	clock := v.clock()
	for _, l := range p.Lanes {
		p.Rows = append(p.Rows, laneRow{l, clock})
	}
	// Blocked customers come first.
	slices.SortStableFunc(p.Rows, func(x, y laneRow) int { return x.rank() - y.rank() })
	p.Summary = summaryOf(p.Rows, cursor != "" || p.Next != "")
	p.Self, p.Other = lanesPath(p.All, cursor), lanesPath(!p.All, "")
	if p.Next != "" {
		p.More = lanesPath(p.All, p.Next)
	}
	if v.byHTMX() {
		return v.part("lanes", "lanes-now", p)
	}
	return v.page("lanes", "Lanes", p)
}

func lanesPath(all bool, cursor string) string {
	q := url.Values{}
	if all {
		q.Set("all", "1")
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if len(q) == 0 {
		return "/lanes"
	}
	return "/lanes?" + q.Encode()
}

// clock returns the clock for the reader of a page.
func (v *visit) clock() prose.Clock { return prose.Clock{In: time.UTC, Now: v.Now()} }

// summaryOf counts the states.
func summaryOf(rows []laneRow, part bool) string {
	if len(rows) == 0 {
		return ""
	}
	counts, exports := map[admin.LaneState]int{}, 0
	for _, l := range rows {
		counts[l.State]++
		exports += l.Express + l.Bulk + l.Active + l.Later
	}
	var states []string
	for _, state := range admin.LaneStates() {
		if n := counts[state]; n > 0 {
			states = append(states, prose.Grouped(n)+" "+word(state))
		}
	}
	text := fmt.Sprintf("%s: %s; %s remaining.", prose.Plural(len(rows), "customer"), strings.Join(states, ", "), prose.Plural(exports, "export"))
	if part {
		text = "On this page: " + text
	}
	return text
}

// laneRow is one customer in the list.
type laneRow struct {
	admin.Lane

	clock prose.Clock
}

// rank sorts customers that need attention first.
func (l laneRow) rank() int {
	switch {
	case l.Keeps() || l.Connection != "":
		return 0
	case l.State == admin.LaneIdle:
		return 2
	}
	return 1
}

// Why explains the state.
func (l laneRow) Why() string {
	if text := l.Text(l.clock); text != "" {
		return strings.TrimSuffix(text, ".") + "."
	}
	return ""
}

// Hint is the remedy for a closed lane. A pause has a button instead.
func (l laneRow) Hint() string {
	if l.State == admin.LaneClosed || l.State == admin.LaneFailing {
		return l.Reason.Info().Hint
	}
	return ""
}

// Mend links to the page that fixes what blocks the customer, other than its lane.
func (l laneRow) Mend() *link {
	reason := l.Reason
	if l.Connection != "" && !l.Keeps() {
		reason = store.ReasonNoConnection
	}
	if m := fixPage(l.Customer, reason); m != nil && m.Path != lanePath(l.Customer) {
		return m
	}
	return nil
}

// Changes returns when the lane resumes.
func (l laneRow) Changes() string {
	in := func(t time.Time) string {
		if left := t.Sub(l.clock.Now); left > 0 {
			return "in " + prose.Span(left)
		}
		return "now"
	}
	switch {
	case l.Keeps() && !l.Until.IsZero():
		return in(l.Until)
	case l.State == admin.LanePaused:
		return "when resumed"
	case l.Keeps():
		return "unknown"
	case l.State == admin.LaneLater && !l.Next.IsZero():
		return in(l.Next)
	}
	return ""
}

// Waits returns how long the oldest export has waited.
func (l laneRow) Waits() string {
	if l.Oldest <= 0 {
		return ""
	}
	return prose.Span(time.Duration(l.Oldest * float64(time.Second)))
}

// Rate returns the calls per second, made and allowed.
func (l laneRow) Rate() string {
	if l.Calls.MaxRate <= 0 {
		return ""
	}
	rate := strconv.FormatFloat(l.Calls.PerSecond, 'f', 1, 64) + " of " + strconv.FormatFloat(l.Calls.MaxRate, 'g', -1, 64)
	if l.Calls.Lowered {
		rate += " (lowered after a 429)"
	}
	return rate
}

// Spent reports whether the daily limit is used up.
func (l laneRow) Spent() bool { return l.Calls.PerDay > 0 && l.Calls.Left == 0 }
