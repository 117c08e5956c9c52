package worker_test

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// If verification found that searches lag longer than the configured settle time, a write with a
// lost response is looked up after the longer time.
func TestEitherWorldSearchesLagBehind(t *testing.T) {
	t.Parallel()
	const lag = 5 * time.Second // longer than the settle time of shortWaits
	for name, c := range map[string]struct{ real, known time.Duration }{
		"as long as configured": {250 * time.Millisecond, 0},
		"for longer":            {lag, lag},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := calm()
			sim.Faults.SearchLag = c.real
			r := newRig(t, rigOptions{sim: sim, settings: shortWaits, conn: func(conn *store.Connection) { conn.Profile.SearchLag = c.known }})
			r.sim.AddRule(icimstest.Rule{Route: "people.create", Fault: icimstest.Error500After})
			b := r.run(input.ToJob(job), input.Options{}, ana())
			if inv := r.sim.Invariants(); b.Created != 1 || inv.People != 1 || inv.Workflows != 1 {
				t.Errorf("batch %+v, %d people, %d workflows", b, inv.People, inv.Workflows)
			}
			r.clean()
		})
	}
}

func TestSettleTimeOfAConnection(t *testing.T) {
	t.Parallel()
	const deployment = 90 * time.Second
	for lag, want := range map[time.Duration]time.Duration{
		0:                                     deployment,
		40 * time.Second:                      deployment,
		2 * time.Minute:                       4 * time.Minute,
		store.MaxSearchLag + 10*time.Hour:     2 * store.MaxSearchLag,
		-1 * time.Second:                      deployment,
		deployment/2 + 500*time.Millisecond:   deployment + time.Second,
		store.MaxSearchLag - time.Millisecond: 2*store.MaxSearchLag - 2*time.Millisecond,
	} {
		if got := (store.TenantProfile{SearchLag: lag}).SettleTime(deployment); got != want {
			t.Errorf("a lag of %s: %s, want %s", lag, got, want)
		}
	}
}
