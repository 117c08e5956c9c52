package main

import (
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

func TestHold(t *testing.T) {
	soon := time.Now().Add(30 * time.Minute)
	quota := store.Closure{Reason: "icims_quota_exhausted", Until: soon}
	credentials := store.Closure{Reason: "icims_credentials", Until: soon}
	busy := func(s store.Standing, q tasks.QueueStates) (store.Standing, tasks.QueueStates) {
		q.Bulk.Pending += 10
		return s, q
	}
	for name, c := range map[string]struct {
		standing store.Standing
		queues   tasks.QueueStates
		idle     laneState // without any task
		state    laneState // with tasks waiting in the bulk queue
		text     string
		advice   string // of the warning
	}{
		"nothing":            {idle: laneIdle, state: laneWaiting},
		"calls in flight":    {standing: store.Standing{InFlight: 1}, idle: laneOpen, state: laneOpen},
		"tasks in work":      {queues: tasks.QueueStates{Express: tasks.QueueState{Active: 1}}, idle: laneOpen, state: laneOpen},
		"tasks for later":    {queues: tasks.QueueStates{Bulk: tasks.QueueState{Retry: 1}}, idle: laneLater, state: laneWaiting},
		"a pause with end":   {store.Standing{Pause: &store.Pause{By: "joe", Why: "go-live", Until: soon}}, tasks.QueueStates{}, lanePaused, lanePaused, "by joe until ", "icims-export resume 1234"},
		"a pause for now":    {store.Standing{Pause: &store.Pause{By: "joe", Why: "go-live"}}, tasks.QueueStates{}, lanePaused, lanePaused, "by joe until somebody resumes: go-live", "icims-export resume 1234"},
		"a sealed pause":     {store.Standing{Pause: &store.Pause{}}, tasks.QueueStates{}, lanePaused, lanePaused, "by an operator until somebody resumes", "is paused by an operator"},
		"a pause in the web": {store.Standing{}, tasks.QueueStates{Bulk: tasks.QueueState{Paused: true}, Express: tasks.QueueState{Paused: true}}, lanePaused, lanePaused, "in the queue's web UI", "the queues are paused"},
		"one of large ones":  {store.Standing{}, tasks.QueueStates{Bulk: tasks.QueueState{Paused: true}}, lanePaused, lanePaused, "in the queue's web UI; small batches go on", "the queue for large batches"},
		"a pause of what has no work": {
			store.Standing{}, tasks.QueueStates{Express: tasks.QueueState{Paused: true}}, laneIdle, laneWaiting, "", "",
		},
		"no calls left":          {store.Standing{Closed: quota, ClosedExpress: quota}, tasks.QueueStates{}, laneClosed, laneClosed, "the day's calls are used up, until ", "it goes on after midnight UTC"},
		"a refused account":      {store.Standing{Closed: credentials, ClosedExpress: credentials}, tasks.QueueStates{}, laneClosed, laneClosed, "iCIMS refuses the user name or password", "Put the right credentials"},
		"a reserve kept":         {store.Standing{Closed: quota}, tasks.QueueStates{}, laneIdle, laneClosed, "; small batches go on", "goes on after midnight"},
		"an open breaker":        {store.Standing{Breakers: map[string]string{"w": "open"}}, tasks.QueueStates{}, laneFailing, laneFailing, "iCIMS keeps failing", "a probe is sent"},
		"a pause before a quota": {store.Standing{Pause: &store.Pause{By: "joe"}, ClosedExpress: quota}, tasks.QueueStates{}, lanePaused, lanePaused, "by joe", "resume 1234"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := holdOf(c.standing, c.queues); got.State != c.idle {
				t.Errorf("without tasks %s, want %s", got.State, c.idle)
			}
			got := holdOf(busy(c.standing, c.queues))
			if got.State != c.state || !strings.Contains(got.text(), c.text) || c.text == "" && got.text() != "" {
				t.Errorf("with tasks %s %q, want %s %q", got.State, got.text(), c.state, c.text)
			}
			if warning := got.warning("1234"); !strings.Contains(warning, c.advice) || got.keeps() != (warning != "") {
				t.Errorf("it warns %q, want %q", warning, c.advice)
			}
		})
	}
	t.Run("words of others cannot confuse a terminal", func(t *testing.T) {
		h := holdOf(store.Standing{Pause: &store.Pause{By: "j\x1boe", Why: "a\nb"}}, tasks.QueueStates{})
		if text := h.text(); strings.ContainsAny(text, "\x1b\n") {
			t.Errorf("got %q", text)
		}
	})
}

func TestForetoldInWords(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		change func(*store.Forecast)
		kept   bool
		want   string
	}{
		"across days":                        {func(f *store.Forecast) { f.Done = time.Date(2026, 11, 24, 14, 9, 40, 0, time.UTC) }, false, "about 12,300 calls to go; 2,480 of 10,000 left today; done about 24 Nov 14:10 UTC"},
		"the same day":                       {func(f *store.Forecast) { f.Done = now.Add(2 * time.Hour) }, false, "; done about 14:00 UTC"},
		"the next year":                      {func(f *store.Forecast) { f.Done = now.AddDate(1, 0, 0) }, false, "; done about 22 Nov 2027"},
		"within the hour":                    {func(f *store.Forecast) { f.Done = now.Add(11*time.Minute + 40*time.Second) }, false, "; done in about 12 minutes"},
		"at once":                            {func(f *store.Forecast) { f.Done = now.Add(time.Second) }, false, "; done within a minute"},
		"one call":                           {func(f *store.Forecast) { f.Calls, f.Ahead, f.Done = 1, 1, now }, false, "1 call to go; "},
		"in turns":                           {func(f *store.Forecast) { f.Ahead, f.Done = 14_300, now }, false, "12,300 calls to go, and 2,000 of other batches in between; 2,480"},
		"kept by what forecasts do not know": {func(f *store.Forecast) { f.Done = now.Add(2 * time.Hour) }, true, "; done about 14:00 UTC if it went on at once"},
		"paused without end":                 {func(f *store.Forecast) { f.Waits = store.ReasonPaused }, false, "; when it will be done depends on when it goes on"},
		"never":                              {func(*store.Forecast) {}, false, "; it will not be done as things stand"},
	} {
		t.Run(name, func(t *testing.T) {
			f := store.Forecast{Calls: 12_300, Ahead: 12_300, LeftToday: 2480, PerDay: 10_000}
			c.change(&f)
			if got := foretold(f, now, c.kept); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
