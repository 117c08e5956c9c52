package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
)

// mine is the customer of these tests.
const mine = "1234"

// connected gives the customer a connection, which change may modify.
func (r *rig) connected(change ...func(*store.Connection)) store.StoredConnection {
	r.t.Helper()
	c := store.Connection{Customer: mine, Username: "export-user", Password: "correct horse", PortalURLs: "https://api.icims.com/customers/1234/search/portals/1"}
	for _, f := range change {
		f(&c)
	}
	stored, err := r.ledger.Connections.Add(r.t.Context(), c, "maria", "a new customer")
	if err != nil {
		r.t.Fatal(err)
	}
	return stored
}

// listed gives the customer with a connection a fresh list of jobs.
func (r *rig) listed(list ...store.ListedJob) {
	r.t.Helper()
	stored, err := r.ledger.Connections.Get(r.t.Context(), mine)
	if err != nil {
		r.t.Fatal(err)
	}
	portals, err := icims.ParsePortalURLs(stored.PortalURLs, icims.HostPolicy{})
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range list {
		list[i].Read = r.now.Now().UTC().Truncate(time.Minute)
	}
	kept := store.JobList{AsOf: r.now.Now(), Portals: jobs.PortalsHash(r.ledger, mine, jobs.PortalNames(portals)), ListCalls: 1, Jobs: list}
	if _, err := r.ledger.JobLists.Save(r.t.Context(), mine, kept, 1, r.now.Now()); err != nil {
		r.t.Fatal(err)
	}
}

var someJobs = []store.ListedJob{
	{ID: 1709, Title: "Data Engineer", Number: "2026-1709", Location: "Berlin"},
	{ID: 1701, Title: "<b>Bold</b> Engineer", Location: `"><script>alert(1)</script>`},
	{ID: 42, Title: "Gärtner"},
}

func TestPickerNarrowsChoices(t *testing.T) {
	r := newRig(t)
	r.connected()
	r.listed(someJobs...)
	p := r.person(api.ScopeRead)
	cases := map[string]struct {
		query     string
		has, lack []string
	}{
		"all jobs":                           {"", []string{`value="1709"`, `value="42"`, "3 jobs. Updated"}, []string{"checked"}},
		"words in any order":                 {"q=engineer+data", []string{`value="1709"`, "number 1709 · 2026-1709 · Berlin"}, []string{`value="42"`}},
		"without accents":                    {"q=gartner", []string{`value="42"`}, []string{`value="1709"`}},
		"the beginning of a number":          {"q=170", []string{`value="1709"`, `value="1701"`}, []string{`value="42"`}},
		"a number that no listed job has":    {"q=99999", []string{`value="99999"`, "not in the job list"}, []string{`value="1709"`}},
		"the chosen job stays":               {"q=gartner&job=1709", []string{`value="1709" checked`, "Data Engineer", "selected", `value="42"`}, nil},
		"the choice of no job stays":         {"q=gartner&job=prospects&without=prospects", []string{`value="prospects" checked`, `value="42"`}, nil},
		"no choice of no job where none may": {"q=gartner&job=prospects", nil, []string{`value="prospects"`}},
		"markup in titles is text":           {"", []string{"&lt;b&gt;Bold&lt;/b&gt;", "&lt;script&gt;alert(1)"}, []string{"<b>Bold", "<script>alert"}},
		"markup in the search is text":       {"q=%3Cscript%3E&job=%3Cscript%3E", nil, []string{"<script>"}},
		"another name of the field":          {"field=target_job&target_job=42", []string{`name="target_job" value="42" checked`}, []string{`name="job"`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			query := c.query
			if !strings.Contains(query, "field=") {
				query += "&field=job"
			}
			got := p.get("/customers/1234/jobs?"+query, "HX-Request", "true")
			if got.StatusCode != http.StatusOK || !got.has(c.has...) || strings.Contains(got.text, "<html") {
				t.Errorf("%d: %s", got.StatusCode, got.text)
			}
			for _, text := range c.lack {
				if strings.Contains(got.text, text) {
					t.Errorf("it has %s: %s", text, got.text)
				}
			}
		})
	}
	if got := p.get("/customers/1234/jobs?field=%22%3E%3Cx", "HX-Request", "true"); got.StatusCode != http.StatusBadRequest || strings.Contains(got.text, "<x") {
		t.Errorf("a field of another name: %d: %s", got.StatusCode, got.text)
	}
}

func TestPickerWorksWithoutAList(t *testing.T) {
	r := newRig(t)
	p := r.person(api.ScopeRead)
	part := "/customers/1234/jobs?field=job&job_number=77"
	if got := p.get(part, "HX-Request", "true"); got.StatusCode != http.StatusOK || !got.has("cannot be listed: the customer has no connection", `value="77" checked`) {
		t.Errorf("without a connection: %d: %s", got.StatusCode, got.text)
	}
	r.connected()
	if got := p.get(part, "HX-Request", "true"); !got.has("Loading jobs from iCIMS", `hx-trigger="every 2s"`, `value="77" checked`) {
		t.Errorf("while the list is read: %s", got.text)
	}
	r.listed(someJobs...)
	r.now.Pass(30 * time.Minute)
	if got := p.get(part, "HX-Request", "true"); !got.has("3 jobs", "Refreshing…") {
		t.Errorf("while the list is read again: %s", got.text)
	}
}

func TestPickedJobIsRead(t *testing.T) {
	cases := map[string]struct {
		form url.Values
		id   int64
		text string
	}{
		"nothing":                      {url.Values{}, 0, ""},
		"a listed job":                 {url.Values{"job": {"1709"}}, 1709, "1709"},
		"no job":                       {url.Values{"job": {"prospects"}}, 0, "prospects"},
		"a number":                     {url.Values{"job_number": {" 42 "}}, 42, "42"},
		"a number beats a listed job":  {url.Values{"job": {"1709"}, "job_number": {"42"}}, 42, "42"},
		"what is no number is kept":    {url.Values{"job_number": {"2026-1709"}}, 0, "2026-1709"},
		"what is below all numbers":    {url.Values{"job_number": {"-1"}}, 0, "-1"},
		"what is too large for an int": {url.Values{"job_number": {"99999999999999999999"}}, 0, "99999999999999999999"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if id, text := pickedJob(c.form, "job"); id != c.id || text != c.text {
				t.Errorf("read %d, %q", id, text)
			}
		})
	}
}

func TestJobsPage(t *testing.T) {
	r := newRig(t)
	p, reader := r.person(api.ScopeExport, mine), r.person(api.ScopeRead, mine)
	if got := p.get("/customers/1234/jobs"); got.StatusCode != http.StatusNotFound || !got.has("no connection") {
		t.Errorf("without a connection: %d: %s", got.StatusCode, got.text)
	}
	r.connected()
	if got := p.get("/customers/1234/jobs"); !got.has("Loading jobs from iCIMS", "Refresh") {
		t.Errorf("before the list is read: %s", got.text)
	}
	r.listed(someJobs...)
	if got := p.get("/customers/1234/jobs?q=engineer"); !got.has("Data Engineer", "&lt;b&gt;Bold", "2 jobs. Updated", `/customers/1234/export?job=1709`) || got.has("Gärtner") {
		t.Errorf("searched: %s", got.text)
	}
	if got := p.get("/customers/1234/jobs?q=plumber"); !got.has("No jobs found") {
		t.Errorf("nothing found: %s", got.text)
	}
	if got := reader.get("/customers/1234/jobs"); !got.has("Data Engineer") || got.has(">Export<") || got.has("jobs/refresh") {
		t.Errorf("a reader sees: %s", got.text)
	}
	if got := reader.post("/customers/1234/jobs/refresh", nil); got.StatusCode != http.StatusForbidden {
		t.Errorf("a reader refreshes: %d", got.StatusCode)
	}
}

func TestRefreshJobs(t *testing.T) {
	r := newRig(t)
	r.connected()
	r.listed(someJobs...)
	p := r.person(api.ScopeExport, mine)
	got := p.post("/customers/1234/jobs/refresh", nil)
	if got.StatusCode != http.StatusSeeOther || got.to() != "/customers/1234/jobs?did=jobs-asked" {
		t.Fatalf("%d to %q", got.StatusCode, got.to())
	}
	if page := p.get(got.to()); !page.has("Refreshing jobs from iCIMS", "Refreshing…") {
		t.Errorf("%s", page.text)
	}
	asked, err := r.ledger.Control.List(t.Context(), mine, store.ControlJobs)
	if err != nil || len(asked) != 1 {
		t.Errorf("asked for %+v, %v", asked, err)
	}
	part := p.post("/customers/1234/jobs/refresh?field=job&without=first", url.Values{"job": {"42"}, "q": {"engineer"}}, "HX-Request", "true")
	if part.StatusCode != http.StatusOK || !part.has(`value="42" checked`, `value="1709"`, `value="first"`, `hx-trigger="every 2s"`) {
		t.Errorf("for the picker: %d: %s", part.StatusCode, part.text)
	}
}
