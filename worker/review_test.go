package worker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

func TestPeopleWithOtherSpellingAreFound(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	candidates := people(45)
	for _, c := range candidates {
		r.tenant.AddPerson(existing(map[string]any{"email": strings.ToUpper(c.Email)}))
	}
	r.start()
	if b := r.run(input.Prospects, input.Options{}, candidates...); b.Updated != 45 {
		t.Errorf("batch %+v", b)
	}
	r.clean()
}

func TestMissingRightAffectsOnlyItsExports(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 404} {
		r := newRig(t, rigOptions{sim: calm(), stopped: true, tenant: func(c *icimstest.TenantConfig) {
			c.DeniedRoutes = []string{"people.patch"}
			c.Behavior = &icimstest.Behavior{MissingRightStatus: status}
		}})
		candidates := people(60)
		r.tenant.AddPerson(existing(map[string]any{"email": candidates[30].Email}))
		r.start()
		b := r.run(input.ToJob(job), input.Options{}, candidates...)
		o := r.outcomes(b.ID)[30]
		// Other calls succeed, so also a 403 is about the right to change people.
		left := b.Updated == 1 && o.Workflow != 0 && o.Warnings == "update_refused"
		if b.Created != 59 || !left {
			t.Errorf("%d: batch %+v, outcome %+v", status, b, o)
		}
	}
}

// The same candidate in two concurrent batches, with a different email in each: the addresses do
// not show that they are the same person.
func TestCandidateInTwoBatchesIsExportedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	first, second := people(40), people(40)
	for i := range second {
		second[i].Email = fmt.Sprintf("corrected-%d@example.com", i)
	}
	a, b := r.send(input.ToJob(job), input.Options{}, first...), r.send(input.ToJob(job), input.Options{}, second...)
	r.start()
	one, two := r.finished(a), r.finished(b)
	if one.Created+two.Created != 40 || one.Skipped+two.Skipped != 40 || r.sim.Invariants().People != 40 {
		t.Errorf("%+v and %+v, %d people", one, two, r.sim.Invariants().People)
	}
	r.clean()
}

func TestDailyBudgetOutlivesProcesses(t *testing.T) {
	t.Parallel()
	const budget = 40
	r := newRig(t, rigOptions{sim: calm(), stopped: true, conn: func(c *store.Connection) { c.Limits.CallsPerDay = budget }})
	r.send(input.ToJob(job), input.Options{}, people(100)...)
	for _, source := range []string{"SeekOut", "Job Board", "Employee Referral"} {
		r.conn.Source = source // any change closes the lane and opens another
		w := r.newWorker(nil)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.eventually("the rest waits for the next day", func() bool {
			listed, err := r.ledger.Lanes.Announced(t.Context())
			return err == nil && len(listed) == 1 && time.Until(listed[0].Wants) > time.Minute
		})
		w.SetConnections([]store.Connection{r.conn})
		w.Stop()
		if err := r.ledger.Lanes.Announce(t.Context(), customer); err != nil {
			t.Fatal(err)
		}
	}
	// Bulk leaves 5% of the day to express.
	if n := r.sim.CallCount(); n > budget || n < budget-3 {
		t.Errorf("%d calls with a budget of %d", n, budget)
	}
}

func TestStoppingWorkerKeepsItsExports(t *testing.T) {
	t.Parallel()
	slow := func(s *worker.Settings) {
		s.CallTimeout, s.SettleTime, s.Lease, s.ShutdownTimeout = 30*time.Second, 90*time.Second, time.Minute, 45*time.Second
	}
	r := newRig(t, rigOptions{sim: calm(), settings: slow})
	// Longer than a worker may miss heartbeats.
	r.sim.AddRule(icimstest.Rule{Route: "people.create", Fault: icimstest.Slow, Delay: 14 * time.Second})
	id := r.send(input.Prospects, input.Options{}, ana())
	r.eventually("the call is under way", func() bool { return r.calls("people.create") == 1 })
	other := r.newWorker(slow)
	if err := other.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Stop)
	r.worker.Stop()
	if o := r.outcomes(id)[0]; o.State != store.Done {
		t.Errorf("after the stop: %+v\n%s", o, r.logs.Tail())
	}
	r.clean()
}
