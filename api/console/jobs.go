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

// jobPicker is a form field for choosing a job by words of its title, requisition number or
// location, or by its system ID. Create it with visit.jobPicker and show it with
//
//	{{template "job-picker" .Job}}          within the form
//	{{template "job-picker-refresh" .Job}}  after the form
//
// Read the choice with pickedJob. With htmx, typing narrows the choices; without it, the form shows
// the first jobs and a field for the number of any other.
type jobPicker struct {
	Customer string
	// Field is the name of the form's field, in lowercase letters.
	Field string
	// Chosen is the job's ID, Without, or "" for no choice. It is the raw input, so it may not be a
	// number.
	Chosen string
	// Without is jobless or firstJob if no job is a valid choice.
	Without string
	// Wrong is the API's problem with the choice, shown next to the field.
	Wrong *api.FieldProblem

	Search   string
	List     jobs.ListPage
	Choices  []jobChoice
	Refused  *Refusal // why there is no list
	MayAsk   bool     // can request a refresh
	titleOf  string   // title of the chosen job, if the list has it
	Unlisted bool     // the list does not have the chosen job
}

// Values of a picker other than a job.
const (
	jobless  = "prospects" // the candidates become prospects
	firstJob = "first"     // the first job that a portal shows
)

// withouts are the labels of these values.
var withouts = map[string]jobChoice{
	jobless:  {Value: jobless, Title: "Prospects", Notes: []string{"added without a job"}},
	firstJob: {Value: firstJob, Title: "Any job", Notes: []string{"the first on a portal"}},
}

// jobChoice is a choice of a picker.
type jobChoice struct {
	Value, Title string
	Notes        []string
	Chosen       bool
}

// shownChoices is how many jobs a picker shows at once.
const shownChoices = 25

var fieldName = regexp.MustCompile(`^[a-z_]{1,20}$`)

// jobPicker returns a picker for the visit's customer. A missing list is shown in it, and is no
// error.
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

// nameChosen finds the title of the chosen job, which may not match the search.
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

// choices returns the value without a job, the previous choice, the search results, and a job that
// the list does not have.
func (p *jobPicker) choices() []jobChoice {
	var list []jobChoice
	if c, ok := withouts[p.Without]; ok {
		c.Chosen = p.Chosen == p.Without
		list = append(list, c)
	}
	if id := jobID(p.Chosen); id != 0 && !hasJob(p.List.Jobs, id) {
		list = append(list, p.unlistedChoice(p.Chosen, p.titleOf, true))
	}
	for _, j := range p.List.Jobs {
		list = append(list, jobChoice{strconv.FormatInt(j.ID, 10), j.Title, notesOf(j), j.ID == jobID(p.Chosen)})
	}
	if id := jobID(p.Search); id != 0 && id != jobID(p.Chosen) && !hasJob(p.List.Jobs, id) {
		list = append(list, p.unlistedChoice(p.Search, "", false))
	}
	return list
}

// unlistedChoice returns the choice of a job that is not in the search results.
func (p *jobPicker) unlistedChoice(id, title string, chosen bool) jobChoice {
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

// notesOf returns notes that distinguish jobs with the same title.
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

// Part returns the URL that searches for choices.
func (p jobPicker) Part() string {
	return "/customers/" + p.Customer + "/jobs?" + url.Values{"field": {p.Field}, "without": {p.Without}}.Encode()
}

// RefreshPart returns the URL that refreshes the list.
func (p jobPicker) RefreshPart() string {
	return strings.Replace(p.Part(), "/jobs?", "/jobs/refresh?", 1)
}

// Number returns the initial value of the job number field.
func (p jobPicker) Number() string {
	if p.Chosen == p.Without || !p.Unlisted && jobID(p.Chosen) != 0 {
		return ""
	}
	return p.Chosen
}

// Awaited reports whether a refresh is running.
func (p jobPicker) Awaited() bool { return p.List.Refreshing }

// pickedJob returns the choice in a picker: a job's ID; or 0 and the picker's Without, "" for no
// choice, or an invalid input.
func pickedJob(form url.Values, field string) (id int64, text string) {
	text = strings.TrimSpace(form.Get(field + "_number")) // a number has precedence
	if text == "" {
		text = strings.TrimSpace(form.Get(field))
	}
	return jobID(text), text
}

// noJobNumber is the problem of an invalid job number.
var noJobNumber = &api.FieldProblem{Field: "job", Problem: "is not a job number", Remedy: "Choose a job or enter its system ID, the number in the address of the job's page in iCIMS"}

// jobID parses a job's system ID; 0 if invalid.
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

// jobs shows the customer's jobs, or a picker's choices for htmx.
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

// saidJobsAsked is shown after a refresh was requested.
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

// pickerPart renders the choices of a picker.
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
