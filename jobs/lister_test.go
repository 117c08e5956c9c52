package jobs_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
)

// asked returns the requested refreshes.
func (r *rig) asked() []store.ControlTask {
	r.t.Helper()
	list, err := r.ledger.Control.List(r.t.Context(), customer, store.ControlJobs)
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

// work runs the requested refresh, as a worker does.
func (r *rig) work() jobs.RefreshResult {
	r.t.Helper()
	claim := testrig.BeginControl(r.t, r.ledger, customer, store.ControlJobs)
	done, err := r.refreshOf(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.ledger.Control.Step(r.t.Context(), claim, store.ControlStep{To: store.ControlDone, Result: done}); err != nil {
		r.t.Fatal(err)
	}
	return done
}

func TestAListIsAskedForOnceAndServedUntilItIsOld(t *testing.T) {
	r := newRig(t)
	r.post(1, 3, 1)
	first := r.list(jobs.Query{By: "maria"})
	if len(first.Jobs) != 0 || first.AsOf != nil || !first.Stale || !first.Refreshing || first.Refresh == nil || first.Calls.Next.List != 1 {
		t.Errorf("before the first refresh: %+v", first)
	}
	r.list(jobs.Query{By: "joe"})
	if asked := r.asked(); len(asked) != 1 || asked[0].By != "maria" {
		t.Fatalf("requested %+v", asked)
	}
	r.work()
	r.clock.Pass(10*time.Minute - time.Second)
	fresh := r.list(jobs.Query{})
	if len(fresh.Jobs) != 3 || fresh.Stale || fresh.Refreshing || !fresh.AsOf.Equal(start) || len(r.asked()) != 1 {
		t.Errorf("within ten minutes: %+v, asked %d times", fresh, len(r.asked()))
	}
	r.clock.Pass(time.Second)
	stale := r.list(jobs.Query{})
	if len(stale.Jobs) != 3 || !stale.Stale || !stale.Refreshing || len(r.asked()) != 2 {
		t.Errorf("after ten minutes: %+v, asked %d times", stale, len(r.asked()))
	}
	r.work()
	if again := r.list(jobs.Query{}); again.Stale || again.Refreshing || !again.AsOf.Equal(start.Add(10*time.Minute)) {
		t.Errorf("after the refresh: %+v", again)
	}
}

func TestWhoeverInsistsGetsARefreshWithinTheShare(t *testing.T) {
	r := newRig(t)
	r.post(1, 3, 1)
	r.lister.Settings.Share = 1 // 100 calls
	refreshed := func() bool {
		t.Helper()
		if a := r.list(jobs.Query{Refresh: true}); !a.Refreshing {
			return false
		}
		r.work()
		return true
	}
	for n := range 97 { // the first takes 4 calls, each of the others one
		if !refreshed() {
			t.Fatalf("refresh %d was not requested", n+1)
		}
	}
	if a := r.list(jobs.Query{}); a.Calls.Today != 100 || a.Calls.Share != 100 {
		t.Fatalf("%+v", a.Calls)
	}
	if refreshed() {
		t.Error("the share is spent, the list new, and it is read once more")
	}
	r.clock.Pass(10 * time.Minute)
	if a := r.list(jobs.Query{}); a.Stale || a.Refreshing {
		t.Error("the share is spent, and a list of ten minutes counts as stale")
	}
	if !refreshed() {
		t.Error("an explicit request does not refresh a list of ten minutes")
	}
	r.clock.Pass(time.Hour)
	if a := r.list(jobs.Query{}); !a.Stale || !a.Refreshing {
		t.Error("a list of an hour does not count as stale")
	}
}

func TestAListThatCostsMuchIsReadLessOften(t *testing.T) {
	r := newRig(t)
	r.post(1, 1, 1)
	r.list(jobs.Query{})
	r.work()
	r.lister.Settings = jobs.Settings{MaxAge: time.Minute, Share: 1} // 100 calls a day: one in 14.4 minutes
	r.clock.Pass(14 * time.Minute)
	if a := r.list(jobs.Query{}); a.Stale {
		t.Error("it is read more often than the share allows")
	}
	r.clock.Pass(24 * time.Second)
	if a := r.list(jobs.Query{}); !a.Stale {
		t.Error("it is not read as often as the share allows")
	}
}

func TestNoRefreshIsAskedForWhereCallsAreNotToBeMade(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(*rig) error
		reason store.Reason
	}{
		{"paused", func(r *rig) error {
			return r.ledger.Lanes.Pause(r.t.Context(), customer, store.Pause{By: "joe", Why: "test"})
		}, store.ReasonPaused},
		{"credentials rejected", func(r *rig) error {
			return r.ledger.Connections.Move(r.t.Context(), customer, store.ConnectionMove{To: store.CredentialsRejected, Reason: "icims_credentials", Who: "w"})
		}, "icims_credentials"},
		{"access denied", func(r *rig) error {
			return r.ledger.Connections.Move(r.t.Context(), customer, store.ConnectionMove{To: store.AccessDenied, Reason: "icims_access_denied", Who: "w"})
		}, "icims_access_denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			if err := tt.before(r); err != nil {
				t.Fatal(err)
			}
			a := r.list(jobs.Query{Refresh: true, Wait: time.Hour})
			if a.Refreshing || len(r.asked()) != 0 || problemOf(a) != tt.reason || a.Problem.Remedy == "" {
				t.Errorf("requested %d times, %+v", len(r.asked()), a.Problem)
			}
		})
	}
}

func TestARefreshThatFailedIsTriedAgainAfterAMinute(t *testing.T) {
	r := newRig(t)
	r.sim.AddRule(icimstest.Rule{Route: "portals.search", Fault: "status", Status: 503, Times: -1})
	r.list(jobs.Query{})
	r.work()
	if a := r.list(jobs.Query{}); a.Refreshing || problemOf(a) != "icims_server_error" || a.Problem.At == nil {
		t.Errorf("at once: %+v, %+v", a.Refreshing, a.Problem)
	}
	r.clock.Pass(time.Minute)
	if a := r.list(jobs.Query{}); !a.Refreshing {
		t.Error("it is not tried again")
	}
}

func TestAFailureBeforeTheConnectionWasChangedSaysNothingAnyMore(t *testing.T) {
	r := newRig(t)
	r.tenant.SetPassword("another")
	r.list(jobs.Query{})
	r.work()
	if a := r.list(jobs.Query{}); a.Refreshing || problemOf(a) != "icims_credentials" {
		t.Fatalf("before: %t, %+v", a.Refreshing, a.Problem)
	}
	r.clock.Pass(time.Second)
	r.enteredAt(r.clock.Now())
	if a := r.list(jobs.Query{}); !a.Refreshing || a.Problem != nil {
		t.Errorf("afterwards: %t, %+v", a.Refreshing, a.Problem)
	}
}

func TestOtherPortalsAreAnotherList(t *testing.T) {
	r := newRig(t, 1, 2)
	r.post(1, 2, 1)
	r.post(3, 2, 2)
	r.list(jobs.Query{})
	r.work()
	first, _, _ := strings.Cut(r.conn.PortalURLs, ",")
	r.conn.PortalURLs = first
	if _, err := r.ledger.Connections.Edit(t.Context(), r.conn, 1, "joe", "test"); err != nil {
		t.Fatal(err)
	}
	if a := r.list(jobs.Query{}); len(a.Jobs) != 0 || a.AsOf != nil || !a.Refreshing {
		t.Errorf("jobs of portals that are not the connection's any more are shown: %+v", a)
	}
	r.sim.ResetCalls()
	if r.work(); r.sim.CallCount() != 1 { // their titles are known
		t.Errorf("the new list took %d calls", r.sim.CallCount())
	}
	if a := r.list(jobs.Query{}); len(a.Jobs) != 2 || a.Jobs[0].Title != "Engineer, Team 2" {
		t.Errorf("%+v", a.Jobs)
	}
}

func TestACustomerWithoutConnectionHasNoList(t *testing.T) {
	r := newRig(t)
	if _, err := r.lister.List(t.Context(), "999", jobs.Query{}); !errors.Is(err, store.ErrNoConnection) {
		t.Errorf("got %v", err)
	}
	r.post(1, 1, 1)
	r.list(jobs.Query{})
	r.work()
	if err := r.ledger.Connections.Remove(t.Context(), customer, 0, "joe", "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.lister.List(t.Context(), customer, jobs.Query{}); !errors.Is(err, store.ErrNoConnection) {
		t.Errorf("after the removal: %v", err)
	}
	if list, err := r.ledger.JobLists.Get(t.Context(), customer, store.JobList{}); err != nil || list.Version != 0 {
		t.Errorf("the list is still there: %+v, %v", list, err)
	}
}

func TestPages(t *testing.T) {
	r := newRig(t)
	r.post(1, 25, 1)
	r.list(jobs.Query{})
	r.work()
	var got []int64
	cursor := ""
	for page := 0; ; page++ {
		a := r.list(jobs.Query{Limit: 10, Cursor: cursor})
		if a.Found != 25 || a.Total != 25 {
			t.Errorf("page %d: %d found of %d", page, a.Found, a.Total)
		}
		for _, j := range a.Jobs {
			got = append(got, j.ID)
		}
		if page == 0 { // jobs added and removed between pages shift nothing
			r.post(100, 1, 1)
			r.post(25, 1, 7)
			r.refresh()
			r.post(25, 1, 1)
			r.refresh()
			r.post(100, 1, 7)
			r.refresh()
		}
		if cursor = a.Next; cursor == "" {
			break
		}
	}
	if len(got) != 25 || !slices.IsSortedFunc(got, func(a, b int64) int { return int(b - a) }) {
		t.Errorf("pages show %v", got)
	}
	if a := r.list(jobs.Query{Text: "2026-2", Limit: 3}); a.Found != 7 || len(a.Jobs) != 3 || a.Next == "" { // 2, 20 to 25
		t.Errorf("%d found, %v", a.Found, titles(a))
	}
	for _, cursor := range []string{"x", "-1", "0", "9999999999999999999"} {
		if _, err := r.lister.List(t.Context(), customer, jobs.Query{Cursor: cursor}); !errors.Is(err, jobs.ErrCursor) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

func TestWhoeverWaitsSeesTheFirstList(t *testing.T) {
	r := newRig(t)
	r.post(1, 3, 1)
	answered := make(chan jobs.ListPage)
	for range 2 {
		go func() {
			a, err := r.lister.List(t.Context(), customer, jobs.Query{Wait: time.Minute})
			if err != nil {
				t.Error(err)
			}
			answered <- a
		}()
	}
	for len(r.asked()) == 0 {
	}
	r.work()
	for range 2 {
		if a := <-answered; len(a.Jobs) != 3 || a.Stale {
			t.Errorf("%+v", a)
		}
	}
	if n := len(r.asked()); n != 1 {
		t.Errorf("two readers requested %d refreshes", n)
	}
}

func TestTitlesComeFromTheListThatIsKeptWhateverItsAge(t *testing.T) {
	r := newRig(t, 1)
	r.post(1, 3, 1)
	titles := func() map[int64]string {
		t.Helper()
		found, err := r.lister.Titles(t.Context(), customer, 3, 1, 99)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if got := titles(); len(got) != 0 {
		t.Errorf("without a list: %v", got)
	}
	r.refresh()
	asked := len(r.asked())
	r.clock.Pass(30 * 24 * time.Hour)
	if got := titles(); len(got) != 2 || got[3] == "" || got[1] == "" || got[3] == got[1] {
		t.Errorf("of an old list: %v", got)
	}
	if len(r.asked()) != asked {
		t.Errorf("a refresh was asked for: %+v", r.asked())
	}
	another := &jobs.Lister{Ledger: r.ledger, Settings: r.lister.Settings, Now: r.lister.Now, Request: r.lister.Request}
	if found, err := another.Titles(t.Context(), "99", 3); err != nil || len(found) != 0 {
		t.Errorf("of another customer: %v, %v", found, err)
	}
}

func TestAListTellsOfOneJobWithoutACall(t *testing.T) {
	r := newRig(t, 1, 2)
	r.post(1, 3, 1)
	sees := func(when string, job int64, want jobs.JobInfo) {
		t.Helper()
		got, err := r.lister.Sight(t.Context(), customer, job)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("job %d, %s: %s", job, when, diff)
		}
	}
	sees("without a list", 9, jobs.JobInfo{})
	r.refresh()
	sees("in a fresh list", 2, jobs.JobInfo{})
	sees("not in a fresh list", 9, jobs.JobInfo{Missing: true})
	r.clock.Pass(time.Hour)
	sees("in a stale list", 2, jobs.JobInfo{Age: time.Hour, Stale: true})
	sees("not in a stale list", 9, jobs.JobInfo{Missing: true, Age: time.Hour, Stale: true})
	r.tenant.Hide("portal", 2)
	r.refresh()
	sees("in a list that lacks a portal", 9, jobs.JobInfo{})
	if len(r.asked()) != 0 {
		t.Error("it asks for refreshes")
	}
}

func TestOpenedListsAreReadAgainWhenTheyHaveChanged(t *testing.T) {
	r := newRig(t)
	r.post(1, 2, 1)
	r.refresh()
	before := r.list(jobs.Query{})
	r.post(3, 1, 1)
	r.refresh()
	if diff := cmp.Diff([]string{"Engineer, Team 1", "Engineer, Team 2", "Engineer, Team 3"}, titles(r.list(jobs.Query{}))); diff != "" {
		t.Errorf("after %v: %s", titles(before), diff)
	}
	if err := r.ledger.JobLists.Delete(t.Context(), customer); err != nil {
		t.Fatal(err)
	}
	if a := r.list(jobs.Query{}); len(a.Jobs) != 0 {
		t.Errorf("forgotten jobs are shown: %v", titles(a))
	}
}

func ExampleSettings_Budget() {
	fmt.Println(jobs.DefaultSettings().Budget(10_000))
	// Output: 1000
}
