package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// exported exports n candidates to a job.
func (w *ward) exported(n int) {
	w.t.Helper()
	w.work()
	made := newCandidateGenerator(7)
	candidates := make([]input.Candidate, n)
	for i := range candidates {
		candidates[i] = made.candidate()
	}
	receipt, err := tasks.NewClient(w.redis, w.ledger).Enqueue(w.t.Context(), input.Batch{Customer: "1234", Target: input.ToJob(1701), Candidates: input.Candidates(candidates...)})
	if err != nil {
		w.t.Fatal(err)
	}
	testrig.Eventually(w.t, "the batch ends", func() bool {
		b, err := w.ledger.Batches.Get(w.t.Context(), receipt.Batch)
		return err == nil && !b.Ended.IsZero()
	}, nil)
}

func TestCheckRemoteShowsCostAndFields(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.call("check", "--customer=1234", "--remote", "--yes").wantStatus(t, statusDone)
	w.exported(6)
	w.sim.ResetCalls()
	r := w.call("check", "--customer=1234", "--remote", "--sample=5")
	r.wantStatus(t, statusUsage)
	if !strings.Contains(r.errors, "5 people and 5 workflows: up to 10 calls of ") || !strings.Contains(r.errors, " left today. Continue?") || w.sim.CallCount() != 0 {
		t.Errorf("%d calls, %s", w.sim.CallCount(), r.errors)
	}
	r = w.call("check", "--customer=1234", "--remote", "--sample=5", "--yes", "--why=a test")
	r.wantStatus(t, statusDone)
	r.wantAll(t, "with 10 calls: 5 people, 0 gone; 5 workflows, 0 gone.", "Clean.")
	table := strings.Join(strings.Fields(r.out), " ")
	for _, want := range []string{"field sent arrived changed missing share", "first_name 5 5 0 0 100%", "workflow_status 5 5 0 0 100%"} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is missing in %s", want, r.out)
		}
	}
	if w.sim.CallCount() != 10 {
		t.Errorf("%d calls were made", w.sim.CallCount())
	}
	w.call("journal").wantAll(t, "check --remote", "a test")
	for _, old := range [][]string{{"--remote", "5"}, {"--remote=5"}} {
		got := decode[admin.CheckResult](t, w.call(append([]string{"audit", "--customer=1234", "--yes", "--json"}, old...)...).out)
		if !got.Clean || got.ReadBack == nil || got.ReadBack.People != 5 || got.ReadBack.Calls != 10 || got.ReadBack.Report.Result != readback.ResultComplete {
			t.Errorf("%v: %+v", old, got)
		}
	}
}

func TestCheckRemoteExitsWithThreeForMissingFields(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.exported(6)
	for _, p := range w.tenant.People() {
		w.tenant.Change(p.ID, map[string]any{"education": nil})
	}
	gone := w.tenant.People()[0].ID
	w.tenant.Purge(gone)
	r := w.call("check", "--customer=1234", "--remote", "--yes", "--json")
	r.wantStatus(t, statusPartial)
	var kinds []string
	for _, v := range decode[admin.CheckResult](t, r.out).Violations {
		kinds = append(kinds, v.Kind)
	}
	slices.Sort(kinds)
	if want := []string{readback.ViolationField, readback.ViolationPerson, readback.ViolationWorkflow}; !slices.Equal(kinds, want) {
		t.Errorf("found %v, want %v", kinds, want)
	}
	r.wantNone(t, "example.com", testPassword)
}

func TestCheckRemoteRefusesToExceedTheDailyLimit(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.exported(3)
	// The next responses report that few calls are left.
	w.tenant.SetDailyLimit(w.sim.CallCount() + 8)
	w.call("verify", "1234", "--no-test-candidate")
	w.sim.ResetCalls()
	r := w.call("check", "--customer=1234", "--remote", "--yes")
	r.wantStatus(t, statusFailed)
	if !strings.Contains(r.errors, "left today: lower --sample") || w.sim.CallCount() != 0 {
		t.Errorf("%d calls, %s", w.sim.CallCount(), r.errors)
	}
}

func TestCheckRemoteSaysWhyItStopped(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.exported(2)
	w.tenant.SetPassword("another one")
	r := w.call("check", "--customer=1234", "--remote", "--yes")
	r.wantStatus(t, statusFailed)
	if !strings.Contains(r.errors, "iCIMS refuses the user name or password") {
		t.Errorf("got %s", r.errors)
	}
}
