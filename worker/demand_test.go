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
		"nothing is to come":                                      {},
		"something waits":                                         {load: workload{queues: pending}, next: 0, opens: true, keeps: true},
		"something is due in a moment":                            {load: workload{queues: later(4 * time.Second)}, next: 3 * time.Second, keeps: true},
		"something is due in forty minutes":                       {load: workload{queues: later(40 * time.Minute)}, next: 40*time.Minute - time.Second},
		"something is overdue":                                    {load: workload{queues: later(-time.Hour)}, next: -time.Hour - time.Second, opens: true, keeps: true},
		"others work on it":                                       {load: workload{queues: tasks.QueueStates{Normal: tasks.QueueState{Active: 1}}, live: 1}, next: unknownRecheck, elsewhere: true},
		"a dead worker has left a task":                           {load: workload{queues: tasks.QueueStates{Normal: tasks.QueueState{Active: 1, Lost: 1, Retry: 1, Next: in(9 * time.Hour)}}, live: 2}, next: 0, opens: true, keeps: true, elsewhere: true},
		"a dead worker has left a task of a paused customer":      {load: workload{queues: tasks.QueueStates{Normal: tasks.QueueState{Active: 1, Lost: 1}}, live: 1, quota: store.Standing{Pause: &store.Pause{}}}, next: 0, opens: true, keeps: true, elsewhere: true},
		"exports have no task":                                    {load: workload{live: 3}, next: unknownRecheck},
		"the budget is spent":                                     {load: workload{queues: pending, quota: store.Standing{Closed: closed("icims_quota_exhausted", in(9*time.Hour)), ClosedExpress: closed("icims_quota_exhausted", in(9*time.Hour))}}, next: 9 * time.Hour, waits: "icims_quota_exhausted"},
		"only the reserve for express is left, and bulk waits":    {load: workload{queues: pending, quota: store.Standing{Closed: closed("icims_quota_exhausted", in(time.Hour))}}, next: time.Hour, waits: "icims_quota_exhausted"},
		"only the reserve for express is left, and express waits": {load: workload{queues: tasks.QueueStates{Normal: pending.Normal, Express: pending.Normal}, quota: store.Standing{Closed: closed("icims_quota_exhausted", in(time.Hour))}}, opens: true, keeps: true},
		"a closure that ends in a moment":                         {load: workload{queues: pending, quota: store.Standing{Closed: closed("icims_rate_limited", in(2*time.Second))}}, next: 2 * time.Second, waits: "icims_rate_limited", keeps: true},
		"a closure that is over":                                  {load: workload{queues: pending, quota: store.Standing{Closed: closed("icims_rate_limited", in(-time.Second))}}, opens: true, keeps: true},
		"a closure that nobody knows the end of":                  {load: workload{queues: pending, quota: store.Standing{Closed: closed("icims_credentials", time.Time{})}}, next: unknownRecheck, waits: "icims_credentials"},
		"work that is due after the closure":                      {load: workload{queues: later(time.Hour), quota: store.Standing{ClosedExpress: closed("icims_rate_limited", in(time.Minute))}}, next: time.Hour - time.Second},
		"paused in asynq's web UI":                                {load: workload{queues: tasks.QueueStates{Normal: tasks.QueueState{Pending: 1, Paused: true}}}, next: pausedRecheck, waits: waitsQueuePause},
		"paused until somebody resumes":                           {load: workload{queues: pending, quota: store.Standing{Pause: &store.Pause{}}}, next: unknownRecheck, waits: waitsPaused},
		"paused for a while":                                      {load: workload{queues: pending, quota: store.Standing{Pause: &store.Pause{Until: in(time.Minute)}}}, next: time.Minute, waits: waitsPaused},
		"paused, with nothing to come":                            {load: workload{quota: store.Standing{Pause: &store.Pause{}}}},
		"paused, with exports in the middle of their calls":       {load: workload{queues: tasks.QueueStates{Normal: tasks.QueueState{Active: 1}}, live: 1, quota: store.Standing{Pause: &store.Pause{}}}, next: unknownRecheck, waits: waitsPaused, elsewhere: true},
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
		t.Errorf("%d of %d were visited within %s", len(seen), len(busy), visitWithin)
	}
	if n := len(s.due(busy[:50])); n != 50 {
		t.Errorf("of few, %d of 50 are visited", n)
	}
}
