package store

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Now is the time by Redis's clock, which leases and due times go by.
func (l *Ledger) Now(ctx context.Context) (time.Time, error) { return l.nowAt(ctx, lanesKey) }

// nowAt is the time by the clock of the server that has a key: of a cluster any
// other may be out of reach, or a little off.
func (l *Ledger) nowAt(ctx context.Context, key string) (time.Time, error) {
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

// nodeOf is the master of a cluster that has a key; nil without a cluster, or where
// its topology is not known.
func (l *Ledger) nodeOf(ctx context.Context, key string) *redis.Client {
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
