package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
)

// listed gives a customer a connection and a fresh list of n jobs.
func (r *rig) listed(customer string, n int) {
	r.t.Helper()
	r.withEverything(customer)
	stored, err := r.Ledger.Connections.Get(r.t.Context(), customer)
	if err != nil {
		r.t.Fatal(err)
	}
	portals, err := icims.ParsePortalURLs(stored.PortalURLs, icims.HostPolicy{})
	if err != nil {
		r.t.Fatal(err)
	}
	list := store.JobList{AsOf: r.now.Now(), Portals: jobs.PortalsHash(r.Ledger, customer, jobs.PortalNames(portals)), ListCalls: 1}
	for id := n; id > 0; id-- {
		list.Jobs = append(list.Jobs, store.ListedJob{ID: int64(id), Title: fmt.Sprintf("Café Manager %d", id), Read: r.now.Now().UTC().Truncate(time.Minute)})
	}
	if _, err := r.Ledger.JobLists.Save(r.t.Context(), customer, list, 1, r.now.Now()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) askedForJobs(customer string) []store.ControlTask {
	r.t.Helper()
	asked, err := r.Ledger.Control.List(r.t.Context(), customer, store.ControlJobs)
	if err != nil {
		r.t.Fatal(err)
	}
	return asked
}

func TestJobsAreListedSearchedAndPaged(t *testing.T) {
	r := newRig(t)
	r.listed(mine, 250)
	key := r.key(ScopeRead, mine)
	var all jobs.ListPage
	r.call(key, http.MethodGet, "/v1/customers/1234/jobs", nil).is(http.StatusOK, &all)
	if len(all.Jobs) != 100 || all.Total != 250 || all.Found != 250 || all.Next != "151" || all.Stale || all.Refreshing || all.AsOf == nil || all.Calls.Share != 1000 {
		t.Errorf("%d jobs, %+v", len(all.Jobs), all.ListState)
	}
	var last jobs.ListPage
	r.call(key, http.MethodGet, "/v1/customers/1234/jobs?q=CAFE+manager&limit=200&cursor=151", nil).is(http.StatusOK, &last)
	if len(last.Jobs) != 150 || last.Next != "" || last.Jobs[0].ID != 150 || last.Jobs[0].Title != "Café Manager 150" {
		t.Errorf("%d jobs, next %q", len(last.Jobs), last.Next)
	}
	var none jobs.ListPage
	r.call(key, http.MethodGet, "/v1/customers/1234/jobs?q=plumber", nil).is(http.StatusOK, &none)
	if none.Jobs == nil || len(none.Jobs) != 0 || none.Found != 0 || none.Total != 250 {
		t.Errorf("%+v", none)
	}
	if asked := r.askedForJobs(mine); len(asked) != 0 {
		t.Errorf("a fresh list is read anew: %+v", asked)
	}
	r.now.Pass(time.Hour)
	var old jobs.ListPage
	r.call(key, http.MethodGet, "/v1/customers/1234/jobs", nil).is(http.StatusOK, &old)
	if len(old.Jobs) != 100 || !old.Stale || !old.Refreshing || len(r.askedForJobs(mine)) != 1 {
		t.Errorf("%d jobs, %+v", len(old.Jobs), old.ListState)
	}
}

func TestExportsAndDryRunsUseTheCachedJobList(t *testing.T) {
	r := newRig(t)
	r.listed(mine, 3)
	key := r.key(ScopeExport, mine)
	sends := 0
	told := func(when, target, title, warning string) {
		t.Helper()
		for i, dry := range []string{"", "&dry_run=true"} {
			var got struct {
				Title   string `json:"job_title"`
				Warning string `json:"job_warning"`
			}
			sends++
			path := "/v1/customers/1234/exports?" + target + dry
			r.call(key, http.MethodPost, path, row(fmt.Sprintf("c-%d", sends)), "Content-Type", "application/x-ndjson").is([]int{http.StatusAccepted, http.StatusOK}[i], &got)
			if got.Title != title || !strings.HasPrefix(got.Warning, warning) || got.Warning != "" && warning == "" {
				t.Errorf("%s%s: title %q, warning %q", when, dry, got.Title, got.Warning)
			}
		}
	}
	told("a job of the list", "job=2", "Café Manager 2", "")
	told("another one", "job=9", "", "Job 9 is not on the portals of customer 1234. ")
	told("no job", "prospects=true", "", "")
	r.now.Pass(time.Hour)
	told("a job of an old list", "job=2", "Café Manager 2", "")
	told("one that an old list lacks", "job=9", "", "Job 9 was not on the portals of customer 1234, as of 1h 0m ago. ")
	r.now.Pass(25 * time.Hour)
	told("one that a list of yesterday lacks", "job=9", "", "")
	if asked := r.askedForJobs(mine); len(asked) != 0 {
		t.Errorf("the list is read for it: %+v", asked)
	}
	r.connect("77")
	var got DryRun
	r.call(r.key(ScopeExport), http.MethodPost, "/v1/customers/77/exports?job=9&dry_run=true", row("c-1"), "Content-Type", "application/x-ndjson").is(http.StatusOK, &got)
	if got.JobTitle+got.JobWarning != "" {
		t.Errorf("without a list: %q, %q", got.JobTitle, got.JobWarning)
	}
}

func TestJobsOfACustomerWithoutConnection(t *testing.T) {
	r := newRig(t)
	key := r.key(ScopeExport)
	r.call(key, http.MethodGet, "/v1/customers/424242424/jobs", nil).problem(CodeNoConnection)
	r.call(key, http.MethodPost, "/v1/customers/424242424/jobs/refresh", nil).problem(CodeNoConnection)
	if asked := r.askedForJobs(nobody); len(asked) != 0 {
		t.Errorf("a control task was made: %+v", asked)
	}
}

func TestJobRefreshIsRequestedOnceAndLogged(t *testing.T) {
	r := newRig(t)
	r.listed(mine, 3)
	r.call(r.key(ScopeRead, mine), http.MethodPost, "/v1/customers/1234/jobs/refresh", nil).problem(CodeScopeMissing)
	key := r.key(ScopeExport, mine)
	for range 2 {
		var state jobs.ListState
		r.call(key, http.MethodPost, "/v1/customers/1234/jobs/refresh", nil).is(http.StatusOK, &state)
		if !state.Refreshing || state.Refresh == nil || state.Total != 3 {
			t.Errorf("%+v", state)
		}
	}
	if asked := r.askedForJobs(mine); len(asked) != 1 || asked[0].By != "test export" {
		t.Errorf("asked for %+v", asked)
	}
	page, err := r.Ledger.AuditLog.Page(t.Context(), store.AuditLogFilter{What: "refresh-jobs", Limit: 10})
	if err != nil || len(page.Entries) != 4 {
		t.Errorf("the journal has %+v, %v", page.Entries, err)
	}
}

func TestWaitForJobsEndsWhenTheServerStops(t *testing.T) {
	r := newRig(t)
	r.withEverything(mine)
	key := r.key(ScopeRead, mine)
	answered := make(chan *reply)
	go func() { answered <- r.call(key, http.MethodGet, "/v1/customers/1234/jobs?wait=30s", nil) }()
	for len(r.askedForJobs(mine)) == 0 {
	}
	r.Close()
	var page jobs.ListPage
	(<-answered).is(http.StatusOK, &page)
	if !page.Refreshing || page.AsOf != nil {
		t.Errorf("%+v", page)
	}
}

func TestInvalidJobQueries(t *testing.T) {
	r := newRig(t)
	r.listed(mine, 3)
	key := r.key(ScopeRead, mine)
	for _, query := range []string{"limit=0", "limit=1001", "wait=31s", "wait=1m", "wait=-1", "cursor=x", "cursor=0", "sort=title"} {
		if p := r.call(key, http.MethodGet, "/v1/customers/1234/jobs?"+query, nil).problem(CodeInvalid); len(p.Errors) != 1 {
			t.Errorf("%s: %+v", query, p)
		}
	}
}
