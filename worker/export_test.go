package worker_test

import (
	"testing"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

func TestExport(t *testing.T) {
	t.Parallel()

	t.Run("a new candidate for a job becomes a person and a workflow, for two calls and the look-up", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		b := r.run(input.ToJob(job), input.Options{}, ana())
		if b.Created != 1 || r.calls("people.create") != 1 || r.calls("workflows.create") != 1 || r.calls("search.people") > 2 {
			t.Errorf("batch %+v, calls %v", b, r.sim.CallCounts())
		}
		o := r.outcomes(b.ID)[0]
		if o.State != store.Done || o.Person == 0 || o.Workflow == 0 || o.Warnings != "" {
			t.Errorf("outcome %+v", o)
		}
		w := r.tenant.Workflows()
		if len(w) != 1 || w[0].Person != o.Person || w[0].Job != job {
			t.Errorf("workflows %+v", w)
		}
		r.clean()
	})

	t.Run("a prospect becomes a person without a workflow", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		b := r.run(input.Prospects, input.Options{}, ana())
		if b.Created != 1 || r.calls("people.create") != 1 || r.calls("workflows.create", "search.applicantworkflows") != 0 {
			t.Errorf("batch %+v, calls %v", b, r.sim.CallCounts())
		}
		r.clean()
	})

	t.Run("a candidate exported before is skipped without a call", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		r.run(input.Prospects, input.Options{}, ana())
		r.sim.ResetCalls()
		b := r.run(input.ToJob(job), input.Options{}, ana())
		if b.Skipped != 1 || r.sim.CallCount() != 0 {
			t.Errorf("batch %+v, %d calls", b, r.sim.CallCount())
		}
		if o := r.outcomes(b.ID)[0]; o.State != store.Skipped || o.Reason != store.ReasonExportedBefore || o.Person == 0 {
			t.Errorf("outcome %+v", o)
		}
	})
}
