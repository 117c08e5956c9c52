package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

func TestDemand(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	in := now.Add
	pending := tasks.QueueStates{Normal: tasks.QueueState{Pending: 7}}
	later := func(d time.Duration) tasks.QueueStates {
		return tasks.QueueStates{Express: tasks.QueueState{Next: in(d)}}
	}
	closed := func(reason store.Reason, until time.Time) store.Closure {
		return store.Closure{Reason: reason, Until: until}
	}
	for name, c := range map[string]struct {
		load         workload
		next         time.Duration // never: 0
		waits        string
		opens, keeps bool
		elsewhere    bool
	}{
		"no work":                 {},
		"something waits":         {load: workload{queues: pending}, next: 0, opens: true, keeps: true},
		"due in a few seconds":    {load: workload{queues: later(4 * time.Second)}, next: 3 * time.Second, keeps: true},
		"due in forty minutes":    {load: workload{queues: later(40 * time.Minute)}, next: 40*time.Minute - time.Second},
		"overdue":                 {load: workload{queues: later(-time.Hour)}, next: -time.Hour - time.Second, opens: true, keeps: true},
		"active elsewhere":        {load: workload{queues: tasks.QueueStates{Normal: tasks.QueueState{Active: 1}}, live: 1}, next: unknownRecheck, elsewhere: true},
		"a task of a dead worker": {load: workload{queues: tasks.QueueStates{Normal: tasks.QueueState{Active: 1, Lost: 1, Retry: 1, Next: in(9 * time.Hour)}}, live: 2}, next: 0, opens: true, keeps: true, elsewhere: true},
		"a task of a dead worker, customer paused":        {load: workload{queues: tasks.QueueStates{Normal: tasks.QueueState{Active: 1, Lost: 1}}, live: 1, quota: store.QuotaStatus{Pause: &store.Pause{}}}, next: 0, opens: true, keeps: true, elsewhere: true},
		"exports without a task":                          {load: workload{live: 3}, next: unknownRecheck},
		"budget used up":                                  {load: workload{queues: pending, quota: store.QuotaStatus{Closed: closed("icims_quota_exhausted", in(9*time.Hour)), ClosedExpress: closed("icims_quota_exhausted", in(9*time.Hour))}}, next: 9 * time.Hour, waits: "icims_quota_exhausted"},
		"only the express reserve is left, bulk waits":    {load: workload{queues: pending, quota: store.QuotaStatus{Closed: closed("icims_quota_exhausted", in(time.Hour))}}, next: time.Hour, waits: "icims_quota_exhausted"},
		"only the express reserve is left, express waits": {load: workload{queues: tasks.QueueStates{Normal: pending.Normal, Express: pending.Normal}, quota: store.QuotaStatus{Closed: closed("icims_quota_exhausted", in(time.Hour))}}, opens: true, keeps: true},
		"a closure that ends in a few seconds":            {load: workload{queues: pending, quota: store.QuotaStatus{Closed: closed("icims_rate_limited", in(2*time.Second))}}, next: 2 * time.Second, waits: "icims_rate_limited", keeps: true},
		"a closure that is over":                          {load: workload{queues: pending, quota: store.QuotaStatus{Closed: closed("icims_rate_limited", in(-time.Second))}}, opens: true, keeps: true},
		"a closure without a known end":                   {load: workload{queues: pending, quota: store.QuotaStatus{Closed: closed("icims_credentials", time.Time{})}}, next: unknownRecheck, waits: "icims_credentials"},
		"work that is due after the closure":              {load: workload{queues: later(time.Hour), quota: store.QuotaStatus{ClosedExpress: closed("icims_rate_limited", in(time.Minute))}}, next: time.Hour - time.Second},
		"paused in asynq's web UI":                        {load: workload{queues: tasks.QueueStates{Normal: tasks.QueueState{Pending: 1, Paused: true}}}, next: pausedRecheck, waits: waitsQueuePause},
		"paused without an end":                           {load: workload{queues: pending, quota: store.QuotaStatus{Pause: &store.Pause{}}}, next: unknownRecheck, waits: waitsPaused},
		"paused for a while":                              {load: workload{queues: pending, quota: store.QuotaStatus{Pause: &store.Pause{Until: in(time.Minute)}}}, next: time.Minute, waits: waitsPaused},
		"paused without work":                             {load: workload{quota: store.QuotaStatus{Pause: &store.Pause{}}}},
		"paused with active exports":                      {load: workload{queues: tasks.QueueStates{Normal: tasks.QueueState{Active: 1}}, live: 1, quota: store.QuotaStatus{Pause: &store.Pause{}}}, next: unknownRecheck, waits: waitsPaused, elsewhere: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := c.load.demand(now)
			var next time.Duration
			if !d.next.IsZero() {
				next = d.next.Sub(now)
			}
			if next != c.next || d.waits != c.waits || d.opens(now) != c.opens || d.keeps(now) != c.keeps || d.active != c.elsewhere {
				t.Errorf("%+v (in %s), opens %t, keeps %t", d, next, d.opens(now), d.keeps(now))
			}
		})
	}
}

func TestSweepVisitsAllCustomersInTime(t *testing.T) {
	t.Parallel()
	busy := make([]string, 3000)
	for i := range busy {
		busy[i] = fmt.Sprint(1000 + i)
	}
	var s sweep
	seen := map[string]bool{}
	for range int(visitWithin / sweepRound) {
		for _, c := range s.due(busy) {
			seen[c] = true
		}
	}
	if len(seen) != len(busy) {
		t.Errorf("%d of %d customers visited within %s", len(seen), len(busy), visitWithin)
	}
	if n := len(s.due(busy[:50])); n != 50 {
		t.Errorf("%d of 50 customers visited", n)
	}
}
