package console

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

func (c *Console) registerCandidates() {
	const path, section = "/customers/{customer}/candidates", "candidates"
	c.handle("GET "+path, section, api.ScopeRead, (*visit).showCandidate)
	c.handle("POST "+path, section, api.ScopeRead, (*visit).showCandidates)
	c.handle("GET "+path+"/erase", section, api.ScopeAdmin, (*visit).askToErase)
	c.handle("POST "+path+"/erase", section, api.ScopeAdmin, (*visit).erase)
}

func candidatePath(customer, id string) string {
	return withQuery("/customers/"+customer+"/candidates", url.Values{"id": {id}})
}

// candidatesPage is a candidate's timeline, or the status of several candidates.
type candidatesPage struct {
	Customer string
	ID       string
	Wrong    *api.FieldProblem
	// Story is nil without a candidate ID, or if nothing was found.
	Story   *admin.CandidateTimeline
	Exports []exportStory
	// Words means that iCIMS's messages are shown.
	Words      bool
	MayOperate bool
	MayErase   bool
	Several    *severalCandidates
}

// Moving reports whether an export of the candidate is in progress.
func (p candidatesPage) Moving() bool {
	return slices.ContainsFunc(p.Exports, func(x exportStory) bool { return x.Moving() })
}

// Self returns the URL of the timeline.
func (p candidatesPage) Self() string {
	q := url.Values{"id": {p.ID}}
	if p.Words {
		q.Set("words", "1")
	}
	return withQuery("/customers/"+p.Customer+"/candidates", q)
}

// exportStory is one export with its timeline.
type exportStory struct {
	admin.ExportTimeline

	Number int // from 1, oldest first
}

// Moving reports whether the export has not ended.
func (x exportStory) Moving() bool { return !x.Outcome.State.Ended() }

// State returns the export's state in one or two words.
func (x exportStory) State() string {
	switch s := x.Outcome.State; s {
	case store.Done:
		return string(x.Outcome.Counter)
	case store.Dead:
		return "dead letter"
	case store.Claimed, store.Creating, store.Created, store.Placing:
		return "in progress"
	case store.Queued, store.Deferred, store.Retrying, store.Unknown:
		return "waiting"
	default:
		return string(s)
	}
}

// Standing returns the export's state as a sentence.
func (x exportStory) Standing() string {
	if len(x.Stands) == 0 {
		return ""
	}
	return x.Stands[0]
}

// Hint returns the next step; "" for none.
func (x exportStory) Hint() string {
	if len(x.Stands) < 2 || x.Stands[1] == x.Outcome.Link {
		return ""
	}
	return x.Stands[1]
}

// candidateShape matches candidate IDs, as the API does.
var candidateShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}$`)

// notAnID refuses a malformed ID.
var notAnID = api.FieldProblem{Field: "id", Problem: "invalid candidate ID", Remedy: "Enter the ID that was submitted with the export: letters, digits and . _ : ~ -, not a name or an email address"}

// longestID is the API's limit for candidate IDs.
const longestID = 128

// longID refuses an ID that is too long.
var longID = api.FieldProblem{Field: "id", Problem: "candidate ID is too long", Remedy: "Enter at most 128 characters"}

func (v *visit) showCandidate() error {
	q := v.r.URL.Query()
	p := candidatesPage{Customer: v.Customer, ID: strings.TrimSpace(q.Get("id")), Words: q.Get("words") != "", MayErase: v.May(api.ScopeAdmin), MayOperate: v.May(api.ScopeOperate)}
	if p.ID == "" {
		return v.page("candidates", "Candidates", p)
	}
	if !candidateShape.MatchString(p.ID) {
		if p.Wrong = &notAnID; len(p.ID) > longestID {
			p.Wrong = &longID
			p.ID = "" // too long to repeat
		}
		return v.pageWith(&Refusal{Status: http.StatusUnprocessableEntity}, "candidates", "Candidates", p)
	}
	story, err := v.story(p.ID, p.Words)
	if refused, ok := refusalOf(err); ok && refused.Code == api.CodeNoCandidate {
		return v.pageWith(refused, "candidates", "Candidates", p)
	}
	if err != nil {
		return err
	}
	p.Story = &story
	for i, x := range story.Exports {
		p.Exports = append(p.Exports, exportStory{x, i + 1})
	}
	slices.Reverse(p.Exports) // newest first
	if v.byHTMX() {
		return v.part("candidates", "story", p)
	}
	return v.page("candidates", "Candidates", p)
}

func (v *visit) story(id string, words bool) (admin.CandidateTimeline, error) {
	var story admin.CandidateTimeline
	q := url.Values{}
	if words {
		q.Set("words", "true")
	}
	err := v.get(v.customerPath("candidates", id), q, &story)
	return story, err
}

// severalCandidates is the export status of several candidates.
type severalCandidates struct {
	Entered string
	Rows    []candidateRow
	Found   int
	Refused *api.FieldProblem
}

type candidateRow struct {
	ID string
	api.Exported
}

// Was reports whether the candidate was exported.
func (r candidateRow) Was() bool { return !r.ExportedAt.IsZero() }

// mostCandidates is the API's limit per lookup.
const mostCandidates = 1000

func (v *visit) showCandidates() error {
	s := &severalCandidates{Entered: v.r.PostFormValue("ids")}
	p := candidatesPage{Customer: v.Customer, Several: s, MayErase: v.May(api.ScopeAdmin)}
	ids := strings.FieldsFunc(s.Entered, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) })
	var distinct []string
	seen := map[string]bool{}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			distinct = append(distinct, id)
		}
	}
	switch {
	case len(distinct) == 0:
		s.Refused = &api.FieldProblem{Field: "ids", Problem: "no ID entered", Remedy: "Enter one ID per line"}
	case len(distinct) > mostCandidates:
		s.Refused = &api.FieldProblem{Field: "ids", Problem: "more than 1,000 IDs", Remedy: "Split the list"}
	case slices.ContainsFunc(distinct, func(id string) bool { return !candidateShape.MatchString(id) }):
		at := slices.IndexFunc(distinct, func(id string) bool { return !candidateShape.MatchString(id) })
		s.Refused = &api.FieldProblem{Field: "ids", Problem: "“" + distinct[at] + "” is not a candidate ID", Remedy: "Enter IDs as submitted, not names or email addresses"}
		if begins := []rune(distinct[at]); len(distinct[at]) > longestID {
			s.Refused = &api.FieldProblem{Field: "ids", Problem: "the ID starting with “" + string(begins[:min(len(begins), 20)]) + "” is too long", Remedy: "Enter at most 128 characters per ID"}
		}
	}
	if s.Refused != nil {
		return v.pageWith(&Refusal{Status: http.StatusUnprocessableEntity}, "candidates", "Candidates", p)
	}
	var list api.ExportedList
	if err := v.post(v.customerPath("exported"), map[string][]string{"candidates": distinct}, &list); err != nil {
		return err
	}
	was := map[string]api.Exported{}
	for _, e := range list.Exported {
		was[e.Candidate] = e
	}
	s.Found = len(was)
	for _, id := range distinct {
		s.Rows = append(s.Rows, candidateRow{id, was[id]})
	}
	return v.page("candidates", "Candidates", p)
}
