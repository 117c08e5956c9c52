package worker

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store"
)

// beatEvery is how often a worker says that it lives, and learns who else does.
const beatEvery = 2 * time.Second

// registry is what this process knows of all workers, as of its last beat.
type registry struct {
	ledger *store.Ledger
	self   func() store.Peer
	log    zerolog.Logger

	mu    sync.Mutex
	fleet store.Fleet
	at    time.Time // of the beat, by this process's clock
}

// run beats until ctx ends. It has a rhythm of its own: whatever else this process
// does may take long.
func (r *registry) run(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.beat(ctx); err != nil && ctx.Err() == nil {
			r.log.Error().Err(err).Msg("cannot say that this worker lives")
		}
	}
}

func (r *registry) beat(ctx context.Context) error {
	fleet, err := r.ledger.Beat(ctx, r.self())
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fleet, r.at = fleet, time.Now()
	return nil
}

// known returns all workers. Those are alive that were when this process last
// heard of all: after an outage of Redis nobody is dead before all could beat.
func (r *registry) known() store.Fleet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fleet
}

// shared turns a time by this process's clock into one by Redis's, which all
// workers share.
func (r *registry) shared(t time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return t.Add(r.fleet.Now.Sub(r.at))
}
