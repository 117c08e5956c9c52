package worker

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/store"
)

// maxPanics is how many panics an export may cause before it becomes a dead letter.
const maxPanics = 3

// restartPause is the delay before a loop restarts after a panic.
const restartPause = time.Second

// spawn runs f in a goroutine of the group. A panic in f ends only f.
func spawn(group *sync.WaitGroup, log zerolog.Logger, what string, f func()) {
	group.Go(func() {
		_ = panics.Logged(log, what, func() error { f(); return nil })
	})
}

// spawnLoop runs f until ctx ends, and restarts it after a panic.
func spawnLoop(ctx context.Context, group *sync.WaitGroup, log zerolog.Logger, what string, f func(context.Context)) {
	group.Go(func() {
		for panics.Logged(log, what, func() error { f(ctx); return nil }) != nil {
			timer := time.NewTimer(restartPause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
		}
	})
}

// spawnIn runs f in a goroutine of the group. A panic in f becomes the group's error.
func spawnIn(group *errgroup.Group, log zerolog.Logger, what string, f func() error) {
	group.Go(func() error { return panics.Logged(log, what, f) })
}

// panicked is the outcome of an export that panicked. A write in progress may have taken effect,
// so it is checked first.
func panicked(c *store.Claim, err error) outcome {
	o := outcome{kind: retry, reason: store.ReasonPanicked, panicked: true, err: err}
	// An intent from an earlier attempt has settled; the ledger keeps it open.
	if c.State == store.Creating || c.State == store.Placing {
		o.kind = unknown
	}
	return o
}
