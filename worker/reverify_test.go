package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker"
	"github.com/seekout/icims-export/worker/control"
)

const week = 7 * 24 * time.Hour

func TestScheduledVerification(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before   func(*rig)
		verified time.Duration // how long ago; 0 for never
		every    time.Duration
		asked    int
	}{
		"a week and more ago":  {nil, 9 * 24 * time.Hour, week, 1},
		"less than a week ago": {nil, 6 * 24 * time.Hour, week, 0},
		"never verified":       {nil, 0, week, 0},
		"switched off":         {nil, 400 * 24 * time.Hour, 0, 0},
		"a paused customer":    {func(r *rig) { r.must(r.ledger.Lanes.Pause(t.Context(), customer, store.Pause{By: "joe", Why: "test"})) }, 9 * 24 * time.Hour, week, 0},
		"refused credentials":  {func(r *rig) { r.start(); r.closeByVerdict() }, 9 * 24 * time.Hour, week, 0},
		"more than half of the daily budget used": {func(r *rig) {
			r.start()
			r.tenant.SpendQuota(600_000)
			r.endedControl(r.ask(customer))
			r.eventually("the answer is counted", func() bool {
				s, err := r.ledger.QuotaStatuses(t.Context(), customer)
				return err == nil && s[0].Left < s[0].Budget/2
			})
		}, 9 * 24 * time.Hour, week, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now().Add(2 * 24 * time.Hour) // requests of this test are two days old
			r := newRig(t, rigOptions{sim: calm(), stopped: true, settings: func(s *worker.Settings) { s.VerifyEvery = c.every }, conn: func(conn *store.Connection) {
				if c.verified != 0 {
					conn.Profile = store.TenantProfile{VerifiedAt: now.Add(-c.verified).UnixMilli()}
				}
			}})
			r.worker.ServeControl(store.ControlVerify, control.Work{Do: asksCustomer})
			if c.before != nil {
				c.before(r)
			}
			asked, err := r.worker.AskDueVerifications(t.Context(), now)
			if err != nil || asked != c.asked {
				t.Fatalf("requested %d, %v", asked, err)
			}
			if asked == 0 {
				return
			}
			if e, err := r.ledger.Control.Last(t.Context(), customer, store.ControlVerify); err != nil || e.By != worker.VerifiedBySchedule {
				t.Errorf("%+v, %v", e, err)
			}
			// Another process, or the next round, does not request a second one.
			if again, err := r.worker.AskDueVerifications(t.Context(), now); again != 0 || err != nil {
				t.Errorf("once more: %d, %v", again, err)
			}
		})
	}
}

// The process that runs the sweep requests verifications.
func TestSweepRequestsDueVerifications(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) { s.VerifyEvery = week }, conn: func(conn *store.Connection) {
		conn.Profile = store.TenantProfile{VerifiedAt: time.Now().Add(-9 * 24 * time.Hour).UnixMilli()}
	}})
	r.eventually("the verification is requested", func() bool {
		e, err := r.ledger.Control.Last(t.Context(), customer, store.ControlVerify)
		return err == nil && e.By == worker.VerifiedBySchedule
	})
}

// A run that rests frees its slot for others.
func TestRestingControlTaskFreesItsSlot(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2, nil)
	others := make(chan struct{})
	do := func(ctx context.Context, r *control.Run) (any, error) {
		if r.Customer == "1002" {
			close(others)
			return "second", nil
		}
		for {
			select {
			case <-others:
				return "first", nil
			default:
			}
			if err := r.Rest(ctx, 5*time.Millisecond); err != nil {
				return nil, err
			}
		}
	}
	f.kinds = map[store.ControlKind]control.Work{store.ControlVerify: {Do: do, AtOnce: 1}}
	f.join(nil)
	first := f.ask("1001")
	f.controlTask(first, "runs", func(e store.ControlTask) bool { return e.State == store.ControlRunning })
	second := f.ask("1002")
	if e := f.endedControl(second); e.State != store.ControlDone {
		t.Errorf("%+v", e)
	}
	if e := f.endedControl(first); string(e.Result) != `"first"` {
		t.Errorf("%+v", e)
	}
}
