package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

var jobsNow = time.Date(2026, 11, 3, 9, 30, 0, 0, time.UTC)

// manyJobs are realistic jobs: few titles are alike.
func manyJobs(n int) []store.ListedJob {
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields(`Senior Junior Lead Principal Data Software Sales Regional Account Customer Service Registered Nurse Intensive Care Supply
		Chain Manager Engineer Director Analyst Specialist Representative Technician Operator Warehouse Night Shift Assistant Clinical Research Field
		Marketing Product Quality Assurance Finance Payroll Legal Counsel Werkstudent Mechanical Electrical Maintenance Driver Cook Barista Teacher`)
	pick := func() string { return words[r.IntN(len(words))] }
	jobs := make([]store.ListedJob, n)
	for i := range jobs {
		title := pick()
		for range 1 + r.IntN(4) {
			title += " " + pick()
		}
		jobs[i] = store.ListedJob{
			ID: int64(20_000 + 3*(n-i)), Title: title, Number: fmt.Sprintf("2026-%d", 10_000+r.IntN(20_000)),
			Location: fmt.Sprintf("US-%c%c-%s", 'A'+r.IntN(26), 'A'+r.IntN(26), pick()+"ville"),
			Updated:  jobsNow.Add(-time.Duration(r.IntN(200_000)) * time.Minute), Read: jobsNow.Add(-time.Duration(r.IntN(500)) * time.Minute),
		}
	}
	return jobs
}

func TestJobListRoundTrip(t *testing.T) {
	ledger := store.NewLedger(redistest.Shared(t).Client(t), newKeys(t))
	read := func(known store.JobList) store.JobList {
		t.Helper()
		list, err := ledger.JobLists.Get(t.Context(), "1234", known)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if list := read(store.JobList{}); list.Version != 0 || list.Jobs != nil {
		t.Fatalf("before any: %+v", list)
	}
	list := store.JobList{
		Jobs: manyJobs(1201), AsOf: jobsNow, Portals: "abc", Unreadable: map[int]store.Reason{2: "icims_not_found", 5: "icims_access_denied"},
		ListCalls: 3, TitleCalls: 7, Day: "2026-11-02", Spent: 99,
	}
	list.Jobs[3] = store.ListedJob{ID: list.Jobs[3].ID, Provisional: true}
	list.Jobs[4].Title = strings.Repeat("長い", 500)
	list, err := ledger.JobLists.Save(t.Context(), "1234", list, 12, jobsNow)
	if err != nil {
		t.Fatal(err)
	}
	if list.Day != "2026-11-03" || list.Spent != 12 {
		t.Errorf("calls of %s: %d", list.Day, list.Spent)
	}
	equalTimes := cmp.Comparer(time.Time.Equal)
	if diff := cmp.Diff(list, read(store.JobList{}), equalTimes); diff != "" {
		t.Errorf("all of it (-saved +read):\n%s", diff)
	}
	list.Jobs[700].Title, list.Jobs[1200].Title = "Changed", "Changed too"
	list.Failed, list.FailedAt, list.Unreadable = "icims_timeout", jobsNow, nil
	if list, err = ledger.JobLists.SaveAt(t.Context(), "1234", list, []int{1200, 700}, 5, jobsNow); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list, read(store.JobList{}), equalTimes); diff != "" || list.Spent != 17 {
		t.Errorf("some of it, %d calls (-saved +read):\n%s", list.Spent, diff)
	}
	list.Jobs = list.Jobs[:2]
	if list, err = ledger.JobLists.Save(t.Context(), "1234", list, 0, jobsNow); err != nil {
		t.Fatal(err)
	}
	if got := read(store.JobList{}); len(got.Jobs) != 2 {
		t.Errorf("%d jobs of a shorter list", len(got.Jobs))
	}
	if got := read(list); len(got.Jobs) != 2 || &got.Jobs[0] != &list.Jobs[0] {
		t.Error("a known list was read again")
	}
	if list.SpentOn(jobsNow.Add(24*time.Hour)) != 0 || list.SpentOn(jobsNow) != 17 {
		t.Error("calls count for another day")
	}
}

func TestTwoWritersOfJobs(t *testing.T) {
	ledger := store.NewLedger(redistest.Shared(t).Client(t), newKeys(t))
	first, err := ledger.JobLists.Save(t.Context(), "1234", store.JobList{Jobs: manyJobs(3)}, 1, jobsNow)
	if err != nil {
		t.Fatal(err)
	}
	for name, stale := range map[string]store.JobList{"one that knows of no list": {}, "one that knows another": {Version: first.Version - 1}} {
		if _, err := ledger.JobLists.Save(t.Context(), "1234", stale, 1, jobsNow); !errors.Is(err, store.ErrJobsMoved) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := ledger.JobLists.Delete(t.Context(), "1234"); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.JobLists.SaveAt(t.Context(), "1234", first, []int{0}, 1, jobsNow); !errors.Is(err, store.ErrJobsMoved) {
		t.Errorf("after it was forgotten: %v", err)
	}
	again, err := ledger.JobLists.Save(t.Context(), "1234", store.JobList{}, 1, jobsNow)
	if err != nil || again.Version <= first.Version {
		t.Errorf("version %d comes after %d, %v", again.Version, first.Version, err)
	}
}

func TestJobsAreSealedAndResealed(t *testing.T) {
	client := redistest.Shared(t).Client(t)
	path := keysetFile(t)
	ledger := store.NewLedger(client, process(t, path))
	if err := ledger.Checks.CheckKeyset(t.Context()); err != nil {
		t.Fatal(err)
	}
	list := store.JobList{Jobs: manyJobs(1201), AsOf: jobsNow}
	if _, err := ledger.JobLists.Save(t.Context(), "1234", list, 1, jobsNow); err != nil {
		t.Fatal(err)
	}
	chunks, err := client.LRange(t.Context(), "ix:{1234}:jobs:l", 0, -1).Result()
	if err != nil || len(chunks) != 3 || strings.Contains(strings.Join(chunks, ""), "Engineer") {
		t.Fatalf("%d chunks, %v", len(chunks), err)
	}
	old := process(t, path).Primary()
	rotate(t, path)
	ledger = store.NewLedger(client, process(t, path))
	if _, err := ledger.Checks.Reseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	without, err := process(t, path).Without(old)
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.NewLedger(client, without).JobLists.Get(t.Context(), "1234", store.JobList{})
	if err != nil || len(got.Jobs) != 1201 || got.Jobs[1200] != list.Jobs[1200] {
		t.Errorf("%d jobs, %v", len(got.Jobs), err)
	}
	lost, err := store.NewLedger(client, newKeys(t)).JobLists.Get(t.Context(), "1234", store.JobList{})
	if err != nil || lost.Jobs != nil || !lost.AsOf.IsZero() || lost.Version != got.Version {
		t.Errorf("a list that does not open: %+v, %v", lost, err)
	}
}

// TestJobsTakeLittleRoom checks the size stated in docs/jobs.md.
func TestJobsTakeLittleRoom(t *testing.T) {
	client := redistest.Shared(t).Client(t)
	ledger := store.NewLedger(client, newKeys(t))
	const n, most = 10_000, 50 // bytes per job
	if _, err := ledger.JobLists.Save(t.Context(), "1234", store.JobList{Jobs: manyJobs(n)}, 1, jobsNow); err != nil {
		t.Fatal(err)
	}
	bytes, err := client.MemoryUsage(t.Context(), "ix:{1234}:jobs:l", 0).Result()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d jobs take %d bytes, %.1f each", n, bytes, float64(bytes)/n)
	if bytes > n*most {
		t.Errorf("%d jobs take %d bytes", n, bytes)
	}
}
