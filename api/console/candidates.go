package console

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/operate"
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

// candidatesPage is a candidate's story, or what was found of several.
type candidatesPage struct {
	Customer string
	ID       string
	Wrong    *api.FieldProblem
	// Story is nil where none was asked for, or nothing is known.
	Story   *operate.CandidateStory
	Exports []exportStory
	// Words: iCIMS's own are shown as well.
	Words      bool
	MayOperate bool
	MayErase   bool
	Several    *severalCandidates
}

// Moving reports whether anything of the story is still to come.
func (p candidatesPage) Moving() bool {
	return slices.ContainsFunc(p.Exports, func(x exportStory) bool { return x.Moving() })
}

// Self is the address of the story.
func (p candidatesPage) Self() string {
	q := url.Values{"id": {p.ID}}
	if p.Words {
		q.Set("words", "1")
	}
	return withQuery("/customers/"+p.Customer+"/candidates", q)
}

// exportStory is one export, plainly told.
type exportStory struct {
	operate.ExportStory

	Number int // from 1, the oldest
}

// Moving reports whether the export has not ended.
func (x exportStory) Moving() bool { return !x.Outcome.State.Ended() }

// State is how it stands, in a word or two.
func (x exportStory) State() string {
	switch s := x.Outcome.State; s {
	case store.Done:
		return string(x.Outcome.Counter)
	case store.Dead:
		return "dead letter"
	case store.Claimed, store.Creating, store.Created, store.Placing:
		return "in work"
	case store.Queued, store.Deferred, store.Retrying, store.Unknown:
		return "waiting"
	default:
		return string(s)
	}
}

// Told is where it stands, and Hint what to do.
func (x exportStory) Standing() string {
	if len(x.Stands) == 0 {
		return ""
	}
	return x.Stands[0]
}

// Hint is what to do about it; "" where nothing is to be done.
func (x exportStory) Hint() string {
	if len(x.Stands) < 2 || x.Stands[1] == x.Outcome.Link {
		return ""
	}
	return x.Stands[1]
}

// candidateShape is that of ids, as the API has it.
var candidateShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}$`)

// notAnID tells what is wrong with what was entered.
var notAnID = api.FieldProblem{Field: "id", Problem: "this is no candidate's id", Remedy: "enter the id that was handed over with the export: letters, digits and . _ : ~ -, never a name or an address"}

// longestID is how long an id is at most, as the API has it.
const longestID = 128

// longID tells that what was entered is too long for an id.
var longID = api.FieldProblem{Field: "id", Problem: "this is too long for a candidate's id", Remedy: "enter one of at most 128 characters, as it was handed over with the export"}

func (v *visit) showCandidate() error {
	q := v.r.URL.Query()
	p := candidatesPage{Customer: v.Customer, ID: strings.TrimSpace(q.Get("id")), Words: q.Get("words") != "", MayErase: v.May(api.ScopeAdmin), MayOperate: v.May(api.ScopeOperate)}
	if p.ID == "" {
		return v.page("candidates", "Candidates", p)
	}
	if !candidateShape.MatchString(p.ID) {
		if p.Wrong = &notAnID; len(p.ID) > longestID {
			p.Wrong = &longID
			p.ID = "" // as much as that is not shown again
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
	slices.Reverse(p.Exports) // the latest is why somebody looks
	if v.byHTMX() {
		return v.part("candidates", "story", p)
	}
	return v.page("candidates", "Candidates", p)
}

func (v *visit) story(id string, words bool) (operate.CandidateStory, error) {
	var story operate.CandidateStory
	q := url.Values{}
	if words {
		q.Set("words", "true")
	}
	err := v.get(v.customerPath("candidates", id), q, &story)
	return story, err
}

// severalCandidates tells of each whether he was exported.
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

// mostCandidates is how many the API looks up at once.
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
		s.Refused = &api.FieldProblem{Field: "ids", Problem: "no id was entered", Remedy: "enter one a line"}
	case len(distinct) > mostCandidates:
		s.Refused = &api.FieldProblem{Field: "ids", Problem: "these are more than 1,000", Remedy: "look them up in several goes"}
	case slices.ContainsFunc(distinct, func(id string) bool { return !candidateShape.MatchString(id) }):
		at := slices.IndexFunc(distinct, func(id string) bool { return !candidateShape.MatchString(id) })
		s.Refused = &api.FieldProblem{Field: "ids", Problem: "“" + distinct[at] + "” is no candidate's id", Remedy: "ids are as handed over, never a name or an address"}
		if begins := []rune(distinct[at]); len(distinct[at]) > longestID {
			s.Refused = &api.FieldProblem{Field: "ids", Problem: "what begins with “" + string(begins[:min(len(begins), 20)]) + "” is too long for a candidate's id", Remedy: "an id has at most 128 characters"}
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
