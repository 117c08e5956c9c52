package store

import (
	"context"
	"time"
)

// readyFor is for how long the trace of a look at the ledger stays.
const readyFor = time.Minute

// Writable checks that Redis answers and takes writes. Its error is one that
// TroubleOf tells apart.
func (l *Ledger) Writable(ctx context.Context) error {
	return wrapped("write to the ledger", l.redis.Set(ctx, readyKey, "1", readyFor).Err())
}
