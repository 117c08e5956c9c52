package console

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

func (c *Console) registerDeadLetters() {
	const path, section = "/customers/{customer}/dead-letters", "dead-letters"
	c.handle("GET "+path, section, api.ScopeRead, (*visit).showDeadLetters)
	c.handle("GET "+path+"/{export}", section, api.ScopeRead, (*visit).showDeadLetter)
	c.handle("POST "+path+"/review", section, api.ScopeOperate, (*visit).reviewDead)
	c.handle("POST "+path+"/retry", section, api.ScopeOperate, func(v *visit) error { return v.actOnDead(actRetry) })
	c.handle("POST "+path+"/discard", section, api.ScopeOperate, func(v *visit) error { return v.actOnDead(actDiscard) })
	c.handle("POST "+path+"/transfer", section, api.ScopeOperate, func(v *visit) error { return v.actOnDead(actTransfer) })
}

// deadPath returns the path of a customer's dead letters.
func deadPath(customer string) string { return "/customers/" + customer + "/dead-letters" }

// deadChoice selects dead letters, as in the API.
type deadChoice struct {
	Filter  *deadFilter `json:"filter,omitempty"`
	Exports []string    `json:"exports,omitempty"`
	All     bool        `json:"all,omitempty"`
}

type deadFilter struct {
	Reason    string `json:"reason,omitempty"`
	Batch     string `json:"batch,omitempty"`
	Candidate string `json:"candidate,omitempty"`
	// Until excludes letters that failed later; URLs do not have it.
	Until time.Time `json:"until,omitzero"`
}

// deadFilterOf parses the filter of a query or a form.
func deadFilterOf(q url.Values) deadFilter {
	of := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	return deadFilter{Reason: of("reason"), Batch: of("batch"), Candidate: of("candidate")}
}

func (f deadFilter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"reason": f.Reason, "batch": f.Batch, "candidate": f.Candidate} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// Any reports whether the filter excludes anything.
func (f deadFilter) Any() bool { return f != deadFilter{} }

// deadLettersPage lists failed exports and their reasons.
type deadLettersPage struct {
	api.DeadLetters

	Customer   string
	Reasons    []deadReason
	Filter     deadFilter
	MayOperate bool
	// Hold is what blocks retried exports; "" for nothing.
	Hold string
	More string
	// Result is the result of the last action; nil for none.
	Result *deadResult
	// Others means that other customers may have dead letters.
	Others bool
	// Refused is why the filter or selection was refused.
	Refused *Refusal
}

// deadReason is a reason of dead letters.
type deadReason struct {
	admin.DeadTally

	Filter  deadFilter
	Path    string
	Meaning string
	Mend    *link
	// Vain means that a retry alone fails again.
	Vain bool
	// Astray means that the job is wrong or gone, so another job may help.
	Astray bool
}

// AtOnce reports whether all of them failed within a minute.
func (r deadReason) AtOnce() bool { return r.Latest.Sub(r.Oldest) < time.Minute }

// Given counts the dead letters that match the filter.
func (p deadLettersPage) Given() int {
	n := 0
	for _, r := range p.Reasons {
		n += r.Count
	}
	return n
}

// Latest returns when the last of them failed.
func (p deadLettersPage) Latest() time.Time {
	var latest time.Time
	for _, r := range p.Reasons {
		if r.Latest.After(latest) {
			latest = r.Latest
		}
	}
	return latest
}

// Without returns the URL without a part of the filter.
func (p deadLettersPage) Without(part string) string {
	q := p.Filter.query()
	q.Del(part)
	return withQuery(deadPath(p.Customer), q)
}

func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func (v *visit) showDeadLetters() error {
	q := v.r.URL.Query()
	filter, result := deadFilterOf(q), deadResultOf(q, v.Customer)
	p, err := v.deadLetters(filter, q.Get("cursor"))
	if refused, ok := refusalOf(err); ok && refused.Status == http.StatusUnprocessableEntity {
		// Show the invalid filter again.
		p.Refused = refused
		return v.pageWith(refused, "dead-letters", "Dead letters", p)
	}
	if err != nil {
		return err
	}
	if p.Result = result; result != nil {
		self := result.query()
		maps.Copy(self, filter.query())
		if err := v.follows(result, withQuery(deadPath(v.Customer), self)); err != nil {
			return err
		}
	}
	if v.byHTMX() {
		return v.part("dead-letters", "dead-now", p)
	}
	return v.page("dead-letters", "Dead letters", p)
}

// shownDead is the page size.
const shownDead = 50

func (v *visit) deadLetters(filter deadFilter, cursor string) (deadLettersPage, error) {
	p := deadLettersPage{Customer: v.Customer, Filter: filter, MayOperate: v.May(api.ScopeOperate), Others: v.frame("", nil).Choice()}
	q := filter.query()
	q.Set("limit", strconv.Itoa(shownDead))
	q.Set("count", "true")
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if err := v.get(v.customerPath("dead-letters"), q, &p.DeadLetters); err != nil {
		return p, err
	}
	for _, t := range p.ByReason {
		of := filter
		of.Reason = string(t.Reason)
		p.Reasons = append(p.Reasons, deadReason{t, of, withQuery(deadPath(v.Customer), of.query()), meaning(t.Reason), fixPage(v.Customer, t.Reason), isVain(t.Reason), t.Reason == store.ReasonJobNotFound})
	}
	if p.Next != "" {
		q = filter.query()
		q.Set("cursor", p.Next)
		p.More = withQuery(deadPath(v.Customer), q)
	}
	if p.Total == 0 {
		return p, nil
	}
	lane, err := v.lane(holdForm{})
	p.Hold = lane.holds()
	return p, err
}

// holds returns what blocks the customer's exports; "" for nothing.
func (p lanePage) holds() string {
	switch {
	case p.Keeps():
		return p.Sentence(p.clock)
	case p.Detail.Outage != nil:
		return strings.TrimSuffix(p.Detail.Outage.String(), ".")
	case p.Connection != "":
		return "connection: " + p.Connection
	}
	return ""
}

// deadLetterPage explains a dead letter.
type deadLetterPage struct {
	admin.ExplainedDead

	Why        string // the reason explained
	Mend       *link
	MayOperate bool
	Hold       string
	Vain       bool // a retry alone fails again
	Astray     bool // another job may help
	// Gone means that it is no dead letter anymore.
	Gone bool
}

func (v *visit) showDeadLetter() error {
	p := deadLetterPage{MayOperate: v.May(api.ScopeOperate)}
	p.Customer = v.Customer
	err := v.get(v.customerPath("dead-letters", v.r.PathValue("export")), nil, &p.ExplainedDead)
	if refused, ok := refusalOf(err); ok && refused.Code == api.CodeNotDead {
		p.Gone = true
		return v.pageWith(refused, "dead-letter", "Dead letter", p)
	}
	if err != nil {
		return err
	}
	p.Why, p.Mend, p.Vain = meaning(p.Reason), fixPage(v.Customer, p.Reason), isVain(p.Reason)
	p.Astray = p.Reason == store.ReasonJobNotFound
	lane, err := v.lane(holdForm{})
	if err != nil {
		return err
	}
	p.Hold = lane.holds()
	return v.page("dead-letter", "Dead letter", p)
}

// answered summarizes iCIMS's last response.
func answered(l admin.DeadLine) string {
	phrase := admin.CallPhrase(l.Operation)
	if phrase == "" {
		return "" // delayed before a call
	}
	said := append([]string{"no response"}, l.Codes...)
	if l.Status != 0 {
		said[0] = strconv.Itoa(l.Status)
	}
	return strings.Join(said, ", ") + " (" + phrase + ")"
}
