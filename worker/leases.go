package worker

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/seekout/icims-export/store"
)

// leases renews the claims of the exports that a lane works on. An export that
// another worker has taken over is cancelled.
type leases struct {
	ledger *store.Ledger
	period time.Duration

	mu   sync.Mutex
	held map[*store.Claim]context.CancelCauseFunc
}

func newLeases(ledger *store.Ledger, period time.Duration) *leases {
	return &leases{ledger: ledger, period: period, held: map[*store.Claim]context.CancelCauseFunc{}}
}

func (l *leases) hold(c *store.Claim, cancel context.CancelCauseFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[c] = cancel
}

func (l *leases) release(c *store.Claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, c)
}

// renew runs until ctx ends.
func (l *leases) renew(ctx context.Context) {
	// A third of the lease leaves two more tries before it runs out.
	ticker := time.NewTicker(l.period / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		l.mu.Lock()
		held := maps.Clone(l.held)
		l.mu.Unlock()
		for claim, cancel := range held {
			// Faults of Redis are left to the next round.
			if err := l.ledger.Renew(ctx, claim, l.period); errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrGone) {
				cancel(err)
			}
		}
	}
}
