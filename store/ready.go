package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// readyFor is for how long the trace of a look at the ledger stays.
const readyFor = time.Minute

// Writable checks that Redis answers and takes writes. Its error is one that
// TroubleOf tells apart. It changes a key only where that is there, and nobody makes it: Redis
// refuses such a write like any other.
func (l *Ledger) Writable(ctx context.Context) error {
	err := l.redis.SetArgs(ctx, readyKey, "1", redis.SetArgs{Mode: "XX", TTL: readyFor}).Err()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return wrapped("write to the ledger", err)
}
