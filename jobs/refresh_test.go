package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
)

func TestASecondListingOf2000UnchangedJobsReadsNoTitles(t *testing.T) {
	r := newRig(t, 1, 2)
	r.post(1000, 1100, 1)
	r.post(2100, 100, 1, 2) // posted on both
	r.post(2200, 800, 2)
	first, calls := r.refresh()
	if first.Jobs != 2000 || first.ListCalls != 3 || first.TitleCalls != 2000 || calls != 2003 || first.Pending != 0 {
		t.Fatalf("the first listing took %d calls: %+v", calls, first)
	}
	// 1,200 jobs on one portal and 900 on the other: two calls and one.
	second, calls := r.refresh()
	if calls != 3 || second.ListCalls != 3 || second.TitleCalls != 0 || second.Jobs != 2000 {
		t.Errorf("the second listing took %d calls: %+v", calls, second)
	}
	a := r.list(jobs.Query{})
	if a.Total != 2000 || len(a.Jobs) != 2000 || a.Jobs[0].ID != 2999 || a.Jobs[1999].ID != 1000 || a.Titles != (jobs.ListTitles{}) {
		t.Fatalf("%d jobs, %+v", a.Total, a.Titles)
	}
	for i, j := range a.Jobs {
		if i > 0 && j.ID >= a.Jobs[i-1].ID {
			t.Fatalf("job %d comes after %d", j.ID, a.Jobs[i-1].ID)
		}
		if j.Provisional || j.Number == "" || j.Location != "Lisbon" {
			t.Fatalf("%+v", j)
		}
	}
	if want := (jobs.ListCalls{Last: jobs.ListCost{List: 3}, Next: jobs.ListCost{List: 3}, Today: 2006, Share: 1000}); a.Calls != want {
		t.Errorf("got %+v, want %+v", a.Calls, want)
	}
}

func TestOnePortalOf2000Jobs(t *testing.T) {
	r := newRig(t)
	r.post(1, 2000, 1)
	if done, _ := r.refresh(); done.Jobs != 2000 {
		t.Fatalf("%+v", done)
	}
	// After a full last page one more call is needed.
	if _, calls := r.refresh(); calls != 3 {
		t.Errorf("the second listing took %d calls", calls)
	}
}

func TestTitlesAreReadAgainWhereTheJobMayHaveChanged(t *testing.T) {
	change := func(r *rig, title string, updated time.Time) {
		r.tenant.AddJob(icimstest.Job{ID: 1, Title: title, Portals: []int{1}, Updated: updated})
	}
	day := 24 * time.Hour
	for _, tt := range []struct {
		name  string
		posts time.Time // last change of the job before the first refresh
		then  func(*rig)
		calls int
		title string
	}{
		{"not without a change", start.Add(-day), func(*rig) {}, 1, "Welder"},
		{"not after weeks either", start.Add(-day), func(r *rig) { r.clock.Pass(30 * day) }, 1, "Welder"},
		{"if iCIMS reports another time", start.Add(-day), func(r *rig) { change(r, "Plumber", start.Add(time.Minute)) }, 2, "Plumber"},
		{"not within a day of having been read in the minute of a change", start, func(r *rig) { r.clock.Pass(day - time.Minute) }, 1, "Welder"},
		{"a day after having been read in the minute of a change", start, func(r *rig) { change(r, "Plumber", start); r.clock.Pass(day) }, 2, "Plumber"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			change(r, "Welder", tt.posts)
			r.refresh()
			tt.then(r)
			if _, calls := r.refresh(); calls != tt.calls {
				t.Errorf("%d calls, want %d", calls, tt.calls)
			}
			if a := r.list(jobs.Query{}); len(a.Jobs) != 1 || a.Jobs[0].Title != tt.title {
				t.Errorf("%+v", a.Jobs)
			}
			if _, calls := r.refresh(); tt.posts.Before(start) && calls != 1 {
				t.Errorf("the next one took %d calls", calls)
			}
		})
	}
	t.Run("jobs that come and go", func(t *testing.T) {
		r := newRig(t, 1, 2)
		r.post(1, 3, 1)
		r.refresh()
		r.post(2, 1, 7) // on a portal that is not the connection's
		r.post(9, 1, 2)
		if done, calls := r.refresh(); calls != 3 || done.Jobs != 3 {
			t.Errorf("%d calls, %+v", calls, done)
		}
		if a := r.list(jobs.Query{}); a.Jobs[0].ID != 9 || a.Jobs[1].ID != 3 || a.Jobs[2].ID != 1 {
			t.Errorf("%+v", a.Jobs)
		}
	})
}

func TestTitlesTakeNoMoreThanTheDaysShare(t *testing.T) {
	r := newRig(t)
	r.post(1, 130, 1)
	r.budget = 61
	done, calls := r.refresh()
	if calls != 61 || done.ListCalls != 1 || done.TitleCalls != 60 || done.Pending != 70 || done.Stopped != "" {
		t.Fatalf("%d calls, %+v", calls, done)
	}
	a := r.list(jobs.Query{})
	if a.Total != 130 || a.Titles != (jobs.ListTitles{Pending: 70, Provisional: 70}) {
		t.Errorf("%d jobs, %+v", a.Total, a.Titles)
	}
	// The newest have their title; the others a provisional one from their page.
	if newest, oldest := a.Jobs[0], a.Jobs[129]; newest.Title != "Engineer, Team 130" || newest.Provisional || oldest.Title != "Engineer team 1" || !oldest.Provisional {
		t.Errorf("%+v, %+v", newest, oldest)
	}
	// The list is read even so, and titles on the next day.
	if _, calls := r.refresh(); calls != 1 {
		t.Errorf("the second refresh of the day took %d calls", calls)
	}
	r.clock.Pass(24 * time.Hour)
	if done, calls := r.refresh(); calls != 61 || done.Pending != 10 {
		t.Errorf("the next day: %d calls, %+v", calls, done)
	}
}

func TestWhatStopsARefresh(t *testing.T) {
	strike := func(r *rig, route string, rule icimstest.Rule) {
		rule.Route = route
		r.sim.AddRule(rule)
	}
	for _, tt := range []struct {
		name    string
		before  func(*rig)
		done    jobs.RefreshResult // without calls
		calls   int
		problem store.Reason
	}{
		{"a pause: nothing is called", func(r *rig) { r.held = store.ReasonPaused }, jobs.RefreshResult{Jobs: 3, Stopped: store.ReasonPaused}, 0, ""},
		{"a wrong password: the list stays", func(r *rig) { r.tenant.SetPassword("another") }, jobs.RefreshResult{Jobs: 3, Stopped: "icims_credentials"}, 1, "icims_credentials"},
		{"a list with temporary failures is read again", func(r *rig) {
			strike(r, "portals.search", icimstest.Rule{Fault: "status", Status: 503, Times: 2})
		}, jobs.RefreshResult{Jobs: 4}, 4, ""},
		{"a list that keeps failing: the stored one stays", func(r *rig) {
			strike(r, "portals.search", icimstest.Rule{Fault: "status", Status: 503, Times: -1})
		}, jobs.RefreshResult{Jobs: 3, Stopped: "icims_server_error"}, 3, "icims_server_error"},
		{"the only portal is gone: the list stays", func(r *rig) { r.tenant.Hide("portal", 1) },
			jobs.RefreshResult{Jobs: 3, Stopped: "icims_access_denied"}, 1, "icims_access_denied"},
		{"a job that may not be read keeps its provisional title", func(r *rig) {
			strike(r, "jobs.get", icimstest.Rule{Fault: "status", Status: 404, Code: 2})
		}, jobs.RefreshResult{Jobs: 4}, 2, ""},
		{"unreadable titles are postponed", func(r *rig) { r.tenant.Deny("jobs.get") },
			jobs.RefreshResult{Jobs: 4, Pending: 1, Stopped: "icims_access_denied"}, 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.post(1, 3, 1)
			r.refresh()
			r.post(4, 1, 1)
			tt.before(r)
			done, calls := r.refresh()
			done.ListCalls, done.TitleCalls = 0, 0
			if done != tt.done || calls != tt.calls {
				t.Errorf("%d calls, %+v; want %d, %+v", calls, done, tt.calls, tt.done)
			}
			a := r.list(jobs.Query{})
			if a.Total != tt.done.Jobs {
				t.Errorf("%d jobs", a.Total)
			}
			if reason := problemOf(a); reason != tt.problem {
				t.Errorf("the answer tells of %q, want %q", reason, tt.problem)
			}
			if a.Calls.Today != 4+calls {
				t.Errorf("%d calls are counted, want %d", a.Calls.Today, 4+calls)
			}
		})
	}
}

func problemOf(a jobs.ListPage) store.Reason {
	if a.Problem == nil {
		return ""
	}
	return a.Problem.Reason
}

func TestAPortalThatICIMSDoesNotShowIsLeftOutAndNamed(t *testing.T) {
	r := newRig(t, 1, 2)
	r.post(1, 2, 1)
	r.post(3, 1, 2)
	r.tenant.Hide("portal", 2)
	if done, _ := r.refresh(); done.Jobs != 2 || done.Stopped != "" {
		t.Fatalf("%+v", done)
	}
	a := r.list(jobs.Query{})
	if len(a.Unreadable) != 1 || a.Unreadable[0].Portal != "2" || a.Unreadable[0].Reason != "icims_access_denied" || a.Unreadable[0].Remedy == "" {
		t.Errorf("%+v", a.Unreadable)
	}
}

func TestAListThatChangedMeanwhileIsNotOverwritten(t *testing.T) {
	r := newRig(t)
	r.post(1, 2, 1)
	once := true
	r.sim.AddRule(icimstest.Rule{Route: "jobs.get", Fault: "status", Status: 404, Match: func(icimstest.Call) bool {
		if once {
			once = false
			if err := r.ledger.JobLists.Delete(context.Background(), customer); err != nil {
				t.Error(err)
			}
		}
		return false
	}})
	if _, err := r.refreshOf(t.Context()); !errors.Is(err, store.ErrJobsMoved) {
		t.Errorf("got %v", err)
	}
	if list, err := r.ledger.JobLists.Get(t.Context(), customer, store.JobList{}); err != nil || list.Version != 0 {
		t.Errorf("got %+v, %v", list, err)
	}
}

func TestAnInterruptedRefreshIsNoFailureAndGoesOnLater(t *testing.T) {
	r := newRig(t)
	r.post(1, 60, 1)
	ctx, stop := context.WithCancel(t.Context())
	stopAt := 52
	r.sim.AddRule(icimstest.Rule{Route: "jobs.get", Fault: "status", Status: 500, Match: func(icimstest.Call) bool {
		if stopAt--; stopAt == 0 {
			stop()
		}
		return false
	}})
	if _, err := r.refreshOf(ctx); err == nil {
		t.Fatal("it was not interrupted")
	}
	a := r.list(jobs.Query{})
	if a.Problem != nil || a.Titles.Pending == 0 || a.Titles.Pending > 10 {
		t.Fatalf("%+v, %+v", a.Problem, a.Titles)
	}
	r.sim.ClearRules()
	r.sim.ResetCalls()
	if done, calls := r.refresh(); done.Pending != 0 || calls != 1+a.Titles.Pending {
		t.Errorf("%d calls, %+v", calls, done)
	}
}
