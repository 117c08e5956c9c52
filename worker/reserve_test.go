package worker_test

import (
	"testing"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker"
)

// A write that has begun for all that is known makes whoever takes the export over
// wait for it to settle. So exports that only wait for a permit have none.
func TestExportsThatWaitForAPermitHaveNoOpenIntent(t *testing.T) {
	const crowd, atOnce = 40, 1
	r := newRig(t, rigOptions{
		sim: calm(),
		conn: func(c *store.Connection) {
			c.Limits.CallsPerSecond, c.Limits.Burst, c.Limits.InFlight = 100, 2, atOnce
		},
		settings: func(s *worker.Settings) { s.LaneConcurrency = crowd },
	})
	batch := r.send(tasks.Target{Job: job}, tasks.Options{}, people(crowd)...)
	most, claimed := 0, 0
	r.eventually("the batch ends", func() bool {
		open, held := 0, 0
		for _, o := range r.outcomes(batch) {
			switch o.State {
			case store.Creating, store.Placing:
				open++
			case store.Claimed, store.Created:
				held++
			default:
			}
		}
		most, claimed = max(most, open), max(claimed, held)
		b, err := r.ledger.Batch(t.Context(), batch)
		return err == nil && !b.Ended.IsZero()
	})
	// Those whose answer has come are not recorded yet.
	if limit := atOnce + 4; most > limit {
		t.Errorf("%d exports had an open intent at once, with %d call in flight", most, atOnce)
	}
	if claimed < crowd/2 {
		t.Errorf("at most %d exports waited at once: the test needs a crowd", claimed)
	}
	r.clean()
}
