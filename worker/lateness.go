package worker

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// lateness sorts exports that are late by what is to be done about them.
type lateness struct {
	well        []string       // their task will fire
	patient     []string       // their task was used for another export; a turn will come to them
	interrupted []store.Moving // their worker has lost them
	lost        []store.Moving // nothing will wake them
}

// sortLate sorts late exports. alive tells of each whether its own task will fire,
// awaits whether it waits for a turn, of which some are left in the queue.
func sortLate(late []store.Moving, now time.Time, alive, awaits []bool, turns int) lateness {
	var l lateness
	for i, m := range late {
		switch {
		case m.Lease.After(now):
			// Claimed after it was found to be late, and before its record was read.
		case m.Working():
			// A claim whose lease ran out is stuck, however alive its task seems.
			l.interrupted = append(l.interrupted, m)
		case awaits[i] && (alive[i] || turns > 0):
			// Its own task may serve another export, and leave it without.
			l.patient = append(l.patient, m.Export)
		case alive[i]:
			l.well = append(l.well, m.Export)
		default:
			l.lost = append(l.lost, m)
		}
	}
	return l
}

// patience is for how long exports that wait for their turn are left alone: about
// as long as the turns left take at ten a second.
func patience(turns int) time.Duration {
	return min(max(time.Duration(turns)*time.Second/10, nudgedFor), lookAgain)
}

// turnsLeft counts the tasks that are ready in a customer's bulk queue.
func turnsLeft(ctx context.Context, client redis.UniversalClient, customer string) (int, error) {
	states, err := tasks.ReadQueueStates(ctx, client, customer)
	if err != nil {
		return 0, err
	}
	return states[0].Bulk.Pending, nil
}

// servesAnother reports whether a task that is being handled has nothing to do
// with its own export any more: it was a turn, or the export has a later task.
func servesAnother(m store.Moving, generation int) bool {
	return generation < m.Generation || m.Generation == 0 && m.TaskUsed
}
