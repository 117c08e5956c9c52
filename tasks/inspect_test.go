package tasks_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

// Tasks in work, by asynq's own keys.
func TestTasksInWork(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := t.Context()
		// works makes a task one that is being handled, under a lease that ends in a
		// while.
		works := func(queue, task string, lease time.Duration) {
			t.Helper()
			if err := client.LPush(ctx, "asynq:{"+queue+"}:active", task).Err(); err != nil {
				t.Fatal(err)
			}
			if err := client.ZAdd(ctx, "asynq:{"+queue+"}:lease", redis.Z{Score: float64(time.Now().Add(lease).Unix()), Member: task}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		works(tasks.BulkQueue("1"), "1:renewed:0", 29*time.Second)
		works(tasks.BulkQueue("1"), "1:left:0", 15*time.Second)
		works(tasks.ExpressQueue("1"), "1:leftlong:3", -time.Minute)
		works(tasks.ExpressQueue("3"), "3:renewed:0", 25*time.Second)
		works(tasks.BulkQueue("3"), "no task of ours", time.Second)

		counts, err := tasks.CountHandled(ctx, client, "1", "2", "3")
		if err != nil || !slices.Equal(counts, []int{3, 0, 2}) {
			t.Errorf("tasks in work: %v, %v", counts, err)
		}
		for customer, want := range map[string][]string{"1": {"left", "leftlong"}, "2": nil, "3": nil} {
			found, err := tasks.Forsaken(ctx, client, customer)
			if got := slices.Sorted(maps.Keys(found)); err != nil || !slices.Equal(got, want) {
				t.Errorf("customer %s: forsaken are %v, %v; want %v", customer, got, err, want)
			}
		}
	})
}
