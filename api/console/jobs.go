package console

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/jobs"
)

func (c *Console) registerJobs() {
	c.handle("GET /customers/{customer}/jobs", "integrations", api.ScopeRead, (*visit).jobs)
	c.handle("POST /customers/{customer}/jobs/refresh", "integrations", api.ScopeExport, (*visit).refreshJobs)
}

// jobPicker is the field of a form by which a person chooses a job: by words of its
// title, requisition number or place, or by its system id. Make it with
// visit.jobPicker and show it with
//
//	{{template "job-picker" .Job}}          within the form
//	{{template "job-picker-refresh" .Job}}  behind the form's end
//
// and read what was chosen with pickedJob. With htmx the search narrows the choices as
// one types; without, the form has the first jobs and a field for any other's number.
type jobPicker struct {
	Customer string
	// Field is the name of the form's field, of small letters.
	Field string
	// Chosen is the job's id, or Without, or "" where nothing was chosen yet. It is what
	// was entered, so that it may be no number.
	Chosen string
	// Without is jobless or firstJob where no job may be chosen either.
	Without string
	// Wrong is shown beside the field: set it where the API refuses what was chosen.
	Wrong *api.FieldProblem

	Search   string
	List     jobs.ListPage
	Choices  []jobChoice
	Refused  *Refusal // why there is no list
	MayAsk   bool     // for a refresh
	titleOf  string   // the chosen job's, where it is in the list
	Unlisted bool     // the chosen job is not in the list
}

// What may stand for a job in a picker.
const (
	jobless  = "prospects" // the candidates become prospects
	firstJob = "first"     // the first job that a portal shows
)

// withouts are what these choices are called.
var withouts = map[string]jobChoice{
	jobless:  {Value: jobless, Title: "Prospects", Notes: []string{"added without a job"}},
	firstJob: {Value: firstJob, Title: "Any job", Notes: []string{"the first on a portal"}},
}

// jobChoice is one of a picker's choices.
type jobChoice struct {
	Value, Title string
	Notes        []string
	Chosen       bool
}

// shownChoices is how many jobs a picker offers at once.
const shownChoices = 25

var fieldName = regexp.MustCompile(`^[a-z_]{1,20}$`)

// jobPicker makes a picker of the visit's customer. That there is no list is shown in
// it, and no error.
func (v *visit) jobPicker(field, chosen, without string) (jobPicker, error) {
	return v.searchedPicker(field, chosen, without, "")
}

func (v *visit) searchedPicker(field, chosen, without, search string) (jobPicker, error) {
	p := jobPicker{Customer: v.Customer, Field: field, Chosen: chosen, Without: without, Search: search, MayAsk: v.May(api.ScopeExport)}
	err := v.get(v.customerPath("jobs"), url.Values{"q": {search}, "limit": {strconv.Itoa(shownChoices)}, "wait": {"0s"}}, &p.List)
	if err == nil && jobID(chosen) != 0 {
		err = v.nameChosen(&p)
	}
	var refused bool
	if p.Refused, refused = refusalOf(err); err != nil && !refused {
		return p, err
	}
	p.Choices = p.choices()
	return p, nil
}

// nameChosen finds the title of the chosen job, which the search may not have found.
func (v *visit) nameChosen(p *jobPicker) error {
	found := p.List.Jobs
	if !hasJob(found, jobID(p.Chosen)) {
		var page jobs.ListPage
		if err := v.get(v.customerPath("jobs"), url.Values{"q": {p.Chosen}, "limit": {strconv.Itoa(shownChoices)}, "wait": {"0s"}}, &page); err != nil {
			return err
		}
		found = page.Jobs
	}
	p.Unlisted = true
	for _, j := range found {
		if j.ID == jobID(p.Chosen) {
			p.titleOf, p.Unlisted = j.Title, false
		}
	}
	return nil
}

func hasJob(found []jobs.Job, id int64) bool {
	return slices.ContainsFunc(found, func(j jobs.Job) bool { return j.ID == id })
}

// choices are what is offered: the one without a job, what was chosen before, what the
// search found, and the job of a number that the list does not know.
func (p *jobPicker) choices() []jobChoice {
	var list []jobChoice
	if c, ok := withouts[p.Without]; ok {
		c.Chosen = p.Chosen == p.Without
		list = append(list, c)
	}
	if id := jobID(p.Chosen); id != 0 && !hasJob(p.List.Jobs, id) {
		list = append(list, p.unfound(p.Chosen, p.titleOf, true))
	}
	for _, j := range p.List.Jobs {
		list = append(list, jobChoice{strconv.FormatInt(j.ID, 10), j.Title, notesOf(j), j.ID == jobID(p.Chosen)})
	}
	if id := jobID(p.Search); id != 0 && id != jobID(p.Chosen) && !hasJob(p.List.Jobs, id) {
		list = append(list, p.unfound(p.Search, "", false))
	}
	return list
}

// unfound is the choice of a job that the search did not find.
func (p *jobPicker) unfound(id, title string, chosen bool) jobChoice {
	c := jobChoice{Value: strings.TrimSpace(id), Title: title, Chosen: chosen}
	if title != "" {
		c.Notes = []string{"number " + c.Value, "selected"}
		return c
	}
	c.Title = "Job " + c.Value
	if p.Refused == nil && p.List.AsOf != nil {
		c.Notes = []string{"not in the job list"}
	}
	return c
}

// notesOf tells jobs of one title apart.
func notesOf(j jobs.Job) []string {
	notes := []string{"number " + strconv.FormatInt(j.ID, 10)}
	for _, note := range []string{j.Number, j.Location} {
		if note != "" {
			notes = append(notes, note)
		}
	}
	if j.Provisional {
		notes = append(notes, "title not loaded yet")
	}
	return notes
}

// Part is where the choices are searched for.
func (p jobPicker) Part() string {
	return "/customers/" + p.Customer + "/jobs?" + url.Values{"field": {p.Field}, "without": {p.Without}}.Encode()
}

// RefreshPart is where the list is asked for anew.
func (p jobPicker) RefreshPart() string {
	return strings.Replace(p.Part(), "/jobs?", "/jobs/refresh?", 1)
}

// Number is what the field for a job's number begins with.
func (p jobPicker) Number() string {
	if p.Chosen == p.Without || !p.Unlisted && jobID(p.Chosen) != 0 {
		return ""
	}
	return p.Chosen
}

// Awaited reports whether the list changes by itself.
func (p jobPicker) Awaited() bool { return p.List.Refreshing }

// pickedJob is what was chosen in a picker: a job's id, the Without of the picker, or ""
// for nothing. id is 0 for all but a job; text that is no job's id is returned as it is.
func pickedJob(form url.Values, field string) (id int64, text string) {
	text = strings.TrimSpace(form.Get(field + "_number")) // whoever fills it in means it
	if text == "" {
		text = strings.TrimSpace(form.Get(field))
	}
	return jobID(text), text
}

// noJobNumber is what is wrong with a choice that pickedJob reads as no job.
var noJobNumber = &api.FieldProblem{Field: "job", Problem: "is not a job number", Remedy: "Choose a job or enter its system ID, the number in the address of the job's page in iCIMS"}

// jobID reads a job's system id; 0 where the text is none.
func jobID(text string) int64 {
	id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || id <= 0 {
		return 0
	}
	return id
}

// jobsPage is the page of a customer's jobs.
type jobsPage struct {
	Search           string
	List             jobs.ListPage
	More             string
	MayAsk, MayOffer bool
}

// jobs shows the customer's jobs, or the choices of a picker to htmx.
func (v *visit) jobs() error {
	q := v.r.URL.Query()
	if v.byHTMX() && q.Has("field") {
		return v.pickerPart(q)
	}
	page := jobsPage{Search: strings.TrimSpace(q.Get("q")), MayAsk: v.May(api.ScopeExport), MayOffer: v.May(api.ScopeExport)}
	ask := url.Values{"q": {page.Search}, "limit": {"100"}, "wait": {"0s"}}
	if cursor := q.Get("cursor"); cursor != "" {
		ask.Set("cursor", cursor)
	}
	if err := v.get(v.customerPath("jobs"), ask, &page.List); err != nil {
		return err
	}
	if page.List.Next != "" {
		page.More = "/customers/" + v.Customer + "/jobs?" + url.Values{"q": {page.Search}, "cursor": {page.List.Next}}.Encode()
	}
	if v.byHTMX() {
		return v.part("jobs", "jobs-found", page)
	}
	return v.page("jobs", "Jobs", page)
}

// saidJobsAsked stands above the jobs of which a refresh was asked for.
var saidJobsAsked = say("jobs-asked", "Refreshing jobs from iCIMS. The list below updates when done.")

func (v *visit) refreshJobs() error {
	if err := v.post(v.customerPath("jobs", "refresh"), nil, nil); err != nil {
		return err
	}
	if v.byHTMX() && v.r.Form.Has("field") {
		return v.pickerPart(v.r.Form)
	}
	return v.redirect("/customers/"+v.Customer+"/jobs", saidJobsAsked)
}

// pickerPart answers with the choices of a picker.
func (v *visit) pickerPart(q url.Values) error {
	field := q.Get("field")
	if !fieldName.MatchString(field) {
		return &Refusal{Status: http.StatusBadRequest, Problem: api.Problem{Title: "invalid request", Detail: "Reload the page."}}
	}
	_, chosen := pickedJob(q, field)
	p, err := v.searchedPicker(field, chosen, q.Get("without"), strings.TrimSpace(q.Get("q")))
	if err != nil {
		return err
	}
	return v.part("jobs", "job-found", p)
}
