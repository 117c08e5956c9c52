package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

const (
	// watchPause is the longest pause between two comparisons.
	watchPause = 10 * time.Second
	// disagreeLimit is how long asynq and the ledger may disagree about an export: after a kill it
	// continues within two minutes.
	disagreeLimit = 2 * time.Minute
	inspectorPage = 1000
)

// watcher compares, at random moments, what asynq's Inspector and the ledger say about each export.
type watcher struct {
	rig       *rig
	inspector *asynq.Inspector
	settling  bool // the faults are over and every export has ended
	since     map[string]disagreement
	moments   int
	compared  int // exports, over all moments
	longest   time.Duration
	failures  []string
}

// disagreement is what asynq and the ledger have said about an export since a time.
type disagreement struct {
	text  string
	since time.Time
}

func newWatcher(r *rig) *watcher {
	return &watcher{rig: r, inspector: asynq.NewInspectorFromRedisClient(r.redis), since: map[string]disagreement{}}
}

// watch compares until the context ends.
func (w *watcher) watch(ctx context.Context, rng *rand.Rand) {
	for ctx.Err() == nil {
		w.compare(ctx)
		pause := time.NewTimer(time.Duration(rng.Int64N(int64(watchPause))))
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// settle compares until asynq and the ledger agree about every export, for at most disagreeLimit.
func (w *watcher) settle(t *testing.T) {
	t.Helper()
	w.settling = true
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	deadline := time.After(disagreeLimit)
	for w.compare(t.Context()); len(w.since) > 0; w.compare(t.Context()) {
		select {
		case <-deadline:
			for export, d := range w.since {
				w.failures = append(w.failures, fmt.Sprintf("%s, at the end: %s", export, d.text))
			}
			return
		case <-tick.C:
		}
	}
}

// compare compares once. A moment at which Redis is down does not count.
func (w *watcher) compare(ctx context.Context) {
	found := map[string]disagreement{}
	now, compared := time.Now(), 0
	for _, customer := range w.rig.customers {
		// What changes in between is left to the next moment.
		before, err1 := w.rig.states(ctx, customer)
		shown, err2 := w.shown(customer)
		after, err3 := w.rig.states(ctx, customer)
		if errors.Join(err1, err2, err3) != nil {
			return
		}
		for _, export := range slices.Sorted(maps.Keys(shown)) {
			if _, ok := after[export]; !ok {
				after[export] = ""
			}
		}
		for export, state := range after {
			if before[export] != state {
				continue
			}
			compared++
			if !w.agree(state, shown[export]) {
				text := fmt.Sprintf("the ledger says %q, asynq %v", state, shown[export])
				d, ok := w.since[export]
				if !ok || d.text != text {
					d = disagreement{text, now}
				}
				found[export] = d
			}
		}
	}
	w.moments++
	w.compared += compared
	for export, d := range found {
		lasts := now.Sub(d.since)
		w.longest = max(w.longest, lasts)
		if lasts > disagreeLimit {
			w.failures = append(w.failures, fmt.Sprintf("%s, for %s: %s", export, lasts.Round(time.Second), d.text))
		}
	}
	w.since = found
}

// agree reports whether an export's state in the ledger and the states of its tasks in asynq mean
// the same. The task of a killed worker goes to the end of its queue, and may wait there after its
// export has ended by a substitute: see docs/monitoring.md. At the end none may be left.
func (w *watcher) agree(state store.State, shown []asynq.TaskState) bool {
	only := func(allowed asynq.TaskState) bool {
		return !slices.ContainsFunc(shown, func(s asynq.TaskState) bool { return s != allowed })
	}
	switch {
	case state == store.Dead:
		return len(shown) > 0 && only(asynq.TaskStateArchived)
	case state == "" || state.Ended(): // completed tasks are kept for a while
		return only(asynq.TaskStateCompleted) || !w.settling && !slices.ContainsFunc(shown, func(s asynq.TaskState) bool {
			return s != asynq.TaskStateCompleted && s != asynq.TaskStatePending
		})
	}
	return slices.ContainsFunc(shown, func(s asynq.TaskState) bool {
		return s == asynq.TaskStatePending || s == asynq.TaskStateActive || s == asynq.TaskStateScheduled || s == asynq.TaskStateRetry
	})
}

// states returns the state of each export of a customer in the ledger.
func (r *rig) states(ctx context.Context, customer string) (map[string]store.State, error) {
	found := map[string]store.State{}
	for from, more := "", true; more; more = from != "" {
		batches, next, err := r.ledger.Batches.Page(ctx, customer, from, 100)
		if err != nil {
			return nil, err
		}
		for _, b := range batches {
			for at := 0; ; at += inspectorPage {
				rows, err := r.ledger.Batches.Outcomes(ctx, b.ID, at, inspectorPage)
				if err != nil {
					return nil, err
				}
				for _, o := range rows {
					found[o.Export] = o.State
				}
				if len(rows) < inspectorPage {
					break
				}
			}
		}
		from = next
	}
	return found, nil
}

// shown returns the states of the tasks of each export, as asynq's web UI shows them.
func (w *watcher) shown(customer string) (map[string][]asynq.TaskState, error) {
	found := map[string][]asynq.TaskState{}
	lists := []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
		w.inspector.ListPendingTasks, w.inspector.ListActiveTasks, w.inspector.ListScheduledTasks,
		w.inspector.ListRetryTasks, w.inspector.ListArchivedTasks, w.inspector.ListCompletedTasks,
	}
	for _, queue := range tasks.QueueNames(customer) {
		for _, list := range lists {
			for page := 1; ; page++ {
				infos, err := list(queue, asynq.PageSize(inspectorPage), asynq.Page(page))
				if errors.Is(err, asynq.ErrQueueNotFound) {
					break
				}
				if err != nil {
					return nil, err
				}
				for _, info := range infos {
					export := strings.Split(info.ID, ":")[1]
					found[export] = append(found[export], info.State)
				}
				if len(infos) < inspectorPage {
					break
				}
			}
		}
	}
	return found, nil
}

// check fails for every lasting disagreement.
func (w *watcher) check(f *findings) {
	f.t.Helper()
	if w.moments == 0 {
		f.addf("asynq", "was never compared with the ledger")
	}
	for _, text := range w.failures {
		f.addf("asynq", "%s", text)
	}
}
