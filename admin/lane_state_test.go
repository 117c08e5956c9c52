package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

func TestHold(t *testing.T) {
	soon := time.Now().Add(30 * time.Minute)
	quota := store.Closure{Reason: "icims_quota_exhausted", Until: soon}
	credentials := store.Closure{Reason: "icims_credentials", Until: soon}
	busy := func(s store.QuotaStatus, q tasks.QueueStates) (store.QuotaStatus, tasks.QueueStates) {
		q.Normal.Pending += 10
		return s, q
	}
	for name, c := range map[string]struct {
		standing store.QuotaStatus
		queues   tasks.QueueStates
		idle     LaneState // without tasks
		state    LaneState // with tasks waiting in the bulk queue
		text     string
		advice   string // in the warning
	}{
		"nothing":            {idle: LaneIdle, state: LaneWaiting},
		"calls in flight":    {standing: store.QuotaStatus{InFlight: 1}, idle: LaneOpen, state: LaneOpen},
		"tasks in work":      {queues: tasks.QueueStates{Express: tasks.QueueState{Active: 1}}, idle: LaneOpen, state: LaneOpen},
		"tasks for later":    {queues: tasks.QueueStates{Large: tasks.QueueState{Retry: 1}}, idle: LaneLater, state: LaneWaiting},
		"a pause with end":   {store.QuotaStatus{Pause: &store.Pause{By: "joe", Why: "go-live", Until: soon}}, tasks.QueueStates{}, LanePaused, LanePaused, "by joe until ", "icims-export resume 1234"},
		"a pause for now":    {store.QuotaStatus{Pause: &store.Pause{By: "joe", Why: "go-live"}}, tasks.QueueStates{}, LanePaused, LanePaused, "by joe until resumed: go-live", "icims-export resume 1234"},
		"a sealed pause":     {store.QuotaStatus{Pause: &store.Pause{}}, tasks.QueueStates{}, LanePaused, LanePaused, "by an operator until resumed", "is paused by an operator"},
		"a pause in the web": {store.QuotaStatus{}, tasks.QueueStates{Normal: tasks.QueueState{Paused: true}, Large: tasks.QueueState{Paused: true}, Express: tasks.QueueState{Paused: true}}, LanePaused, LanePaused, "in asynq's web UI", "all queues are paused"},
		"one of large ones":  {store.QuotaStatus{}, tasks.QueueStates{Large: tasks.QueueState{Paused: true}}, LanePaused, LanePaused, "in asynq's web UI; small batches continue", "the queues for large batches"},
		"a pause of what has no work": {
			store.QuotaStatus{}, tasks.QueueStates{Express: tasks.QueueState{Paused: true}}, LaneIdle, LaneWaiting, "", "",
		},
		"no calls left":          {store.QuotaStatus{Closed: quota, ClosedExpress: quota}, tasks.QueueStates{}, LaneClosed, LaneClosed, "the day's calls are used up, until ", "Exports continue after midnight UTC"},
		"a refused account":      {store.QuotaStatus{Closed: credentials, ClosedExpress: credentials}, tasks.QueueStates{}, LaneClosed, LaneClosed, "iCIMS refuses the user name or password", "Put the right credentials"},
		"a reserve kept":         {store.QuotaStatus{Closed: quota}, tasks.QueueStates{}, LaneIdle, LaneClosed, "; small batches continue", "continue after midnight"},
		"an open breaker":        {store.QuotaStatus{Breakers: map[string]string{"w": "open"}}, tasks.QueueStates{}, LaneFailing, LaneFailing, "iCIMS keeps failing", "The worker probes iCIMS"},
		"a pause before a quota": {store.QuotaStatus{Pause: &store.Pause{By: "joe"}, ClosedExpress: quota}, tasks.QueueStates{}, LanePaused, LanePaused, "by joe", "resume 1234"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := holdOf(c.standing, c.queues); got.State != c.idle {
				t.Errorf("without tasks %s, want %s", got.State, c.idle)
			}
			got := holdOf(busy(c.standing, c.queues))
			if got.State != c.state || !strings.Contains(got.Text(prose.Clock{}), c.text) || c.text == "" && got.Text(prose.Clock{}) != "" {
				t.Errorf("with tasks %s %q, want %s %q", got.State, got.Text(prose.Clock{}), c.state, c.text)
			}
			if warning := got.Warning(prose.Clock{}, "1234"); !strings.Contains(warning, c.advice) || got.Keeps() != (warning != "") {
				t.Errorf("it warns %q, want %q", warning, c.advice)
			}
		})
	}
	t.Run("foreign text cannot confuse a terminal", func(t *testing.T) {
		h := holdOf(store.QuotaStatus{Pause: &store.Pause{By: "j\x1boe", Why: "a\nb"}}, tasks.QueueStates{})
		if text := h.Text(prose.Clock{}); strings.ContainsAny(text, "\x1b\n") {
			t.Errorf("got %q", text)
		}
	})
}
