package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// listing returns a rig with n jobs on two portals, and the lister for them.
func listing(t *testing.T, n int, o rigOptions) (*rig, *jobs.Lister) {
	t.Helper()
	o.sim = calm()
	o.tenant = func(c *icimstest.TenantConfig) { c.Jobs, c.Portals = nil, nil }
	r := newRig(t, o)
	r.tenant.AddPortal(1, "external")
	r.tenant.AddPortal(2, "internal")
	for i := range n {
		r.tenant.AddJob(icimstest.Job{
			ID: int64(job + i), Title: fmt.Sprintf("Welder, Shift %d", i), Portals: []int{1 + i%5/3}, Updated: time.Now().Add(-24 * time.Hour),
		})
	}
	r.conn.PortalURLs = r.server.PortalURL(customer, 1) + "," + r.server.PortalURL(customer, 2)
	r.worker.SetConnections([]store.Connection{r.conn})
	hosts, err := icims.ParseHostPolicy(r.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	filed := func(string) (store.Connection, bool) { return r.conn.WithDefaults(), true }
	return r, &jobs.Lister{Ledger: r.ledger, Hosts: hosts, Settings: jobs.DefaultSettings(), Filed: filed, Now: time.Now, Request: admin.New(admin.Config{Redis: r.redis, Ledger: r.ledger}).ControlTasks.Request}
}

func (r *rig) jobs(l *jobs.Lister, q jobs.Query) jobs.ListPage {
	r.t.Helper()
	a, err := l.List(r.t.Context(), customer, q)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// refreshedJobs waits until no refresh is in progress.
func (r *rig) refreshedJobs(l *jobs.Lister) jobs.ListPage {
	r.t.Helper()
	var a jobs.ListPage
	r.eventually("the list of jobs is refreshed", func() bool {
		a = r.jobs(l, jobs.Query{})
		return !a.Refreshing
	})
	return a
}

func TestSecondRefreshReadsNoTitles(t *testing.T) {
	r, l := listing(t, 2000, rigOptions{})
	first := r.jobs(l, jobs.Query{Wait: patience})
	if first.Total != 2000 || first.AsOf == nil {
		t.Fatalf("waiting callers see %d jobs", first.Total)
	}
	done := r.refreshedJobs(l)
	if done.Titles != (jobs.ListTitles{}) || r.calls("portals.search") != 3 || r.calls("jobs.get") != 2000 {
		t.Fatalf("%+v after %d calls for the list and %d for titles", done.Titles, r.calls("portals.search"), r.calls("jobs.get"))
	}
	r.sim.ResetCalls()
	again := r.jobs(l, jobs.Query{Refresh: true, Wait: patience})
	done = r.refreshedJobs(l)
	// 1,200 jobs on one portal, 800 on the other.
	if n := r.sim.CallCount(); n != 3 || again.Total != 2000 || !done.AsOf.After(*first.AsOf) {
		t.Errorf("the second listing of %d jobs took %d calls", again.Total, n)
	}
	if want := (jobs.ListCost{List: 3}); done.Calls.Last != want || done.Calls.Next != want || done.Calls.Today != 2006 {
		t.Errorf("returned %+v", done.Calls)
	}
	if found := r.jobs(l, jobs.Query{Text: "3700 WELDER"}); found.Found != 1 || found.Jobs[0].Title != "Welder, Shift 1999" {
		t.Errorf("%+v", found.Jobs)
	}
}

func TestTitlesYieldToSmallBatches(t *testing.T) {
	// At this pace the titles take a minute.
	r, l := listing(t, 3000, rigOptions{conn: func(c *store.Connection) { c.Limits.CallsPerSecond, c.Limits.Burst = 50, 4 }})
	r.jobs(l, jobs.Query{Wait: patience})
	r.run(input.ToJob(job), input.Options{}, ana())
	if a := r.jobs(l, jobs.Query{}); !a.Refreshing || a.Titles.Pending == 0 {
		t.Errorf("an export waits until titles are read: %+v", a.Titles)
	}
}

func TestTitlesLeaveDailyCallsToExports(t *testing.T) {
	r, l := listing(t, 100, rigOptions{
		conn:     func(c *store.Connection) { c.Limits.CallsPerDay = 400 },
		settings: func(s *worker.Settings) { s.Jobs.Share = 5 },
	})
	r.tenant.SetDailyLimit(400)
	l.Settings.Share = 5
	r.jobs(l, jobs.Query{Wait: patience})
	if a := r.refreshedJobs(l); a.Total != 100 || a.Calls.Today != 20 || a.Calls.Share != 20 || a.Titles.Pending != 82 || r.sim.CallCount() != 20 {
		t.Errorf("%d calls, returned %+v, %+v", r.sim.CallCount(), a.Calls, a.Titles)
	}
}

func TestNoJobsAreReadDuringAPause(t *testing.T) {
	r, l := listing(t, 10, rigOptions{stopped: true})
	r.jobs(l, jobs.Query{}) // requested before the pause
	if err := r.ledger.Lanes.Pause(t.Context(), customer, store.Pause{By: "joe", Why: "test"}); err != nil {
		t.Fatal(err)
	}
	r.start()
	if a := r.refreshedJobs(l); a.Problem == nil || a.Problem.Reason != store.ReasonPaused || r.sim.CallCount() != 0 {
		t.Errorf("%d calls, %+v", r.sim.CallCount(), a.Problem)
	}
}
