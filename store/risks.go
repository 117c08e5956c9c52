package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Risks names what about the Redis behind the client may lose exports. Checks
// that the server does not offer are passed over.
func Risks(ctx context.Context, client redis.UniversalClient) ([]string, error) {
	if err := client.Ping(ctx).Err(); err != nil {
		return nil, fmt.Errorf("reach Redis: %w", err)
	}
	var risks []string
	read := func(name string) string {
		values, err := client.ConfigGet(ctx, name).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return ""
		}
		return values[name]
	}
	if read("appendonly") == "no" {
		risks = append(risks, "Redis keeps no append-only file: a restart loses every export that is still moving and every marker since the last snapshot; set appendonly yes")
	}
	if policy := read("maxmemory-policy"); policy != "" && policy != "noeviction" {
		risks = append(risks, "Redis may evict keys ("+policy+"): exports and markers vanish without a word; set maxmemory-policy noeviction")
	}
	return risks, nil
}
