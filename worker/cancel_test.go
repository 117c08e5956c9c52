package worker_test

import (
	"testing"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

func TestTasksOfCanceledExportsDoNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	crowd := people(70)
	cancelled := r.send(input.ToJob(job), input.Options{}, crowd[:40]...)
	kept := r.send(input.ToJob(job), input.Options{}, crowd[40:]...)
	if c, err := r.ledger.Cancel(t.Context(), cancelled, store.CancelOptions{Who: "ana", Why: "the wrong list"}); err != nil || c.Cancelled != 40 {
		t.Fatalf("%+v, %v", c, err)
	}
	r.start()
	if b := r.finished(kept); b.Created != 30 {
		t.Errorf("the other batch: %+v", b)
	}
	if b := r.finished(cancelled); b.Cancelled != 40 || b.Created != 0 {
		t.Errorf("the canceled batch: %+v", b)
	}
	r.eventually("all tasks have run", func() bool {
		states, err := tasks.ReadQueueStates(t.Context(), r.redis, customer)
		if err != nil {
			t.Fatal(err)
		}
		total := states[0].Total()
		return total.Pending+total.Active+total.Later() == 0
	})
	if n := r.calls("people.create"); n != 30 {
		t.Errorf("%d people created, want those of the other batch", n)
	}
	r.clean()
}
