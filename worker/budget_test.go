package worker_test

import (
	"math"
	"testing"

	"github.com/seekout/icims-export/tasks/input"
)

// The simulator's call log shows how many calls candidates cost.
func TestCallBudget(t *testing.T) {
	t.Parallel()
	const n = 2_000
	r := newRig(t, rigOptions{sim: calm()})
	candidates := people(n)

	b := r.run(input.ToJob(job), input.Options{}, candidates...)
	each := float64(r.sim.CallCount()) / n
	t.Logf("new, to a job: %.3f calls each", each)
	if counted := r.sim.CallCount(); b.Calls != counted {
		t.Errorf("the batch counts %d calls, iCIMS %d", b.Calls, counted)
	}
	costs, err := r.ledger.Batches.Costs(t.Context(), customer)
	if got := costs.Each(b.Kind()); err != nil || math.Abs(got-each) > 0.05 {
		t.Errorf("forecast of %.3f calls per export, %v", got, err)
	}
	if b.Created != n || each > 2.05 {
		t.Fatalf("new candidates for a job: %.3f calls each, want at most 2.05: %+v, %v", each, b, r.sim.CallCounts())
	}
	people, workflows := r.sim.Invariants().People, r.sim.Invariants().Workflows

	r.sim.ResetCalls()
	if b = r.run(input.ToJob(job), input.Options{}, candidates...); b.Skipped != n || r.sim.CallCount() != 0 {
		t.Fatalf("exported before: %d calls, %+v", r.sim.CallCount(), b)
	}

	b = r.run(input.ToJob(job), included, candidates...)
	each = float64(r.sim.CallCount()) / n
	t.Logf("again, included: %.3f calls each", each)
	if b.Updated != n || each > 3 {
		t.Fatalf("included again: %.3f calls each, want at most 3: %+v, %v", each, b, r.sim.CallCounts())
	}
	inv := r.sim.Invariants()
	if inv.People != people || inv.Workflows != workflows || people != n || workflows != n {
		t.Errorf("%d people and %d workflows, then %d and %d", people, workflows, inv.People, inv.Workflows)
	}
	if w := r.calls("people.create", "people.patch", "collections.add", "collections.patch", "workflows.create", "workflows.patch"); w != 0 {
		t.Errorf("%d writes without changes: %v", w, r.sim.CallCounts())
	}
	r.clean()
}
