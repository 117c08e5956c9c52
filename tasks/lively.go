package tasks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Lively returns those of asynq's queues that hold tasks, are paused, or have
// processed any today or yesterday (UTC), in their order. It takes one pipeline for
// up to 250 of them.
func Lively(ctx context.Context, client redis.UniversalClient, queues []string, now time.Time) ([]string, error) {
	const day = "2006-01-02"
	today, yesterday := now.UTC().Format(day), now.UTC().AddDate(0, 0, -1).Format(day)
	var lively []string
	for page := range slices.Chunk(queues, statePage) {
		found := make([]*redis.IntCmd, len(page))
		_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, q := range page {
				keys := make([]string, 0, 9)
				for _, name := range []string{"pending", "active", "scheduled", "retry", "archived", "completed", "paused", "processed:" + today, "processed:" + yesterday} {
					keys = append(keys, asynqKey(q, name))
				}
				found[i] = p.Exists(ctx, keys...)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look which queues are in use: %w", err)
		}
		for i, q := range page {
			if found[i].Val() > 0 {
				lively = append(lively, q)
			}
		}
	}
	return lively, nil
}
