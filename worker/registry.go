package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store"
)

// beatEvery is the interval of heartbeats.
const beatEvery = 2 * time.Second

// registry holds the workers known to this process, as of its last heartbeat.
type registry struct {
	ledger *store.Ledger
	self   func() store.Peer
	settle func() time.Duration
	log    zerolog.Logger
	beats  atomic.Int64

	mu    sync.Mutex
	fleet store.Fleet
	at    time.Time // of the heartbeat, by this process's clock
}

// run sends heartbeats until ctx ends. It has its own loop, since other work may take long.
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
	fleet, err := r.ledger.Workers.Beat(ctx, r.self())
	if err != nil {
		return err
	}
	r.take(fleet)
	r.noticeLoss(ctx)
	return nil
}

// noticeLoss reports a Redis that lost writes. Its errors do not fail the heartbeat: the cluster
// node with these keys may be unreachable, and claims check for themselves.
//
// A process without lanes has almost nothing cached, so it checks only at every tenth heartbeat.
func (r *registry) noticeLoss(ctx context.Context) {
	const idleEvery = 10
	if n := r.beats.Add(1) - 1; n%idleEvery != 0 && r.self().Lanes == 0 {
		return
	}
	loss, news, err := r.ledger.Workers.NoticeLoss(ctx, r.self().Worker, r.settle())
	switch {
	case err != nil && ctx.Err() == nil:
		r.log.Error().Err(err).Fields(store.LogFields(err)).Msg("heartbeat failed: cannot check Redis for lost writes")
	case news:
		r.log.Error().Str("kind", string(loss.Kind)).Float64("lost_seconds", loss.LostSeconds).Time("creates_from", loss.CreatesFrom).
			Str("remedy", loss.Remedy()).Msg(loss.String())
	}
}

// take stores the workers of a heartbeat.
func (r *registry) take(fleet store.Fleet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fleet, r.at = fleet, time.Now()
}

// known returns all workers. A worker counts as alive if it was at this process's last heartbeat,
// so after an outage of Redis no worker is dead before all could send a heartbeat.
func (r *registry) known() store.Fleet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fleet
}

// shared converts a time of this process's clock into one of Redis's clock.
func (r *registry) shared(t time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return t.Add(r.fleet.Now.Sub(r.at))
}
