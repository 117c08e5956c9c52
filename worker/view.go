package worker

import (
	"context"
	"maps"
	"slices"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// read completes views. Those that cannot be read are removed.
func (w *Worker) read(ctx context.Context, views map[string]view) error {
	read, err := surveyed(ctx, w.survey, slices.Collect(maps.Keys(views)), func(ctx context.Context, customers []string) ([]view, error) {
		list := make([]view, len(customers))
		for i, c := range customers {
			list[i] = views[c]
		}
		return w.complete(ctx, customers, list)
	})
	if err != nil {
		return err
	}
	clear(views)
	maps.Copy(views, read)
	return nil
}

// complete reads what views lack. The list of lanes is read before the work: what
// comes in between is announced later, which Rest and Withdraw notice.
func (w *Worker) complete(ctx context.Context, customers []string, views []view) ([]view, error) {
	callers := make([]store.Caller, len(customers))
	for i := range views {
		callers[i] = views[i].caller
	}
	announced, err := w.ledger.AnnouncedOf(ctx, customers...)
	if err != nil {
		return nil, err
	}
	live, err := w.ledger.LiveOf(ctx, customers...)
	if err != nil {
		return nil, err
	}
	queues, err := tasks.ReadQueueStates(ctx, w.redis, customers...)
	if err != nil {
		return nil, err
	}
	standings, err := w.ledger.StandingsFor(ctx, customers, callers)
	if err != nil {
		return nil, err
	}
	for i, c := range customers {
		v := &views[i]
		v.announced, v.live, v.queues, v.standing = announced[c], live[i], queues[i], standings[i]
	}
	return views, nil
}
