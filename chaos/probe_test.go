package chaos_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// probe increments a counter in Redis continuously, to detect whether a killed Redis has lost
// acknowledged writes: with appendfsync everysec it delays writes during an fsync.
type probe struct {
	client *redis.Client
	acked  atomic.Int64 // the last acknowledged count
	paused atomic.Bool
	stop   context.CancelFunc
	done   chan struct{}
}

const (
	probeKey   = "chaos:probe"
	probeEvery = 2 * time.Millisecond
)

func newProbe(t *testing.T, addr string) *probe {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := &probe{client: redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1}), stop: stop, done: make(chan struct{})}
	t.Cleanup(func() {
		stop()
		<-p.done
		_ = p.client.Close()
	})
	go func() {
		defer close(p.done)
		tick := time.NewTicker(probeEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if p.paused.Load() {
				continue
			}
			if n, err := p.client.Incr(ctx, probeKey).Result(); err == nil {
				p.acked.Store(n)
			}
		}
	}()
	return p
}

// lost returns how many acknowledged counts a restarted Redis has lost. The probe was paused during
// the kill.
func (p *probe) lost(t *testing.T) int64 {
	t.Helper()
	acked := p.acked.Load()
	n, err := p.client.Incr(context.Background(), probeKey).Result()
	if err != nil {
		t.Fatal(err)
	}
	p.paused.Store(false)
	return max(acked-(n-1), 0)
}
