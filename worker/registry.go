package worker

import (
	"context"
	"sync"
	"sync/atomic"
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
	settle func() time.Duration
	log    zerolog.Logger
	beats  atomic.Int64

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
			r.log.Error().Err(err).Fields(store.LogFields(err)).Msg("heartbeat failed")
		}
	}
}

func (r *registry) beat(ctx context.Context) error {
	fleet, err := r.ledger.Beat(ctx, r.self())
	if err != nil {
		return err
	}
	r.take(fleet)
	r.noticeLoss(ctx)
	return nil
}

// noticeLoss tells of a Redis that lost writes. It fails no beat: of a cluster the node
// that has these keys may be out of reach, and claims look for themselves.
//
// A process without a lane has next to nothing to forget, and its claims look for themselves: it
// looks at every tenth beat only.
func (r *registry) noticeLoss(ctx context.Context) {
	const idleEvery = 10
	if n := r.beats.Add(1) - 1; n%idleEvery != 0 && r.self().Lanes == 0 {
		return
	}
	loss, news, err := r.ledger.NoticeLoss(ctx, r.self().Worker, r.settle())
	switch {
	case err != nil && ctx.Err() == nil:
		r.log.Error().Err(err).Fields(store.LogFields(err)).Msg("heartbeat failed: cannot check Redis for lost writes")
	case news:
		r.log.Error().Str("kind", string(loss.Kind)).Float64("lost_seconds", loss.LostSeconds).Time("creates_from", loss.CreatesFrom).
			Str("remedy", loss.Remedy()).Msg(loss.String())
	}
}

// take notes who lives as of a beat.
func (r *registry) take(fleet store.Fleet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fleet, r.at = fleet, time.Now()
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
