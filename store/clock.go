package store

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Now returns the time by the Redis clock, which leases and due times use.
func (l *Ledger) Now(ctx context.Context) (time.Time, error) { return l.nowAt(ctx, lanesKey) }

// nowAt returns the time of the server that holds a key. Other nodes of a cluster may be
// unreachable, or their clocks may differ slightly.
func (l *base) nowAt(ctx context.Context, key string) (time.Time, error) {
	if l.simulated {
		ms, err := l.redis.Get(ctx, SimulatedClockKey).Int64()
		return time.UnixMilli(ms), err
	}
	var server redis.Cmdable = l.redis
	if node := l.nodeOf(ctx, key); node != nil {
		server = node
	}
	now, err := server.Time(ctx).Result()
	if err != nil {
		return time.Time{}, fmt.Errorf("read Redis's clock: %w", err)
	}
	return now, nil
}

// nodeOf returns the cluster master that holds a key; nil without a cluster or if the topology is
// unknown.
func (l *base) nodeOf(ctx context.Context, key string) *redis.Client {
	cluster, ok := l.redis.(*redis.ClusterClient)
	if !ok {
		return nil
	}
	node, err := cluster.MasterForKey(ctx, key)
	if err != nil {
		return nil
	}
	return node
}
