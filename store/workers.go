package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// heartbeatTTL is how long after its last heartbeat a worker counts as dead.
const heartbeatTTL = 7 * time.Second

// silentWorkersKept is how long a worker without heartbeats stays in the list.
const silentWorkersKept = time.Minute

var heartbeatScript = loadEssentialFleetScript("heartbeat")

// Peer is a worker process in the list.
type Peer struct {
	Worker string
	Beat   time.Time // last heartbeat, by the Redis clock
	Lanes  int       // open
	Free   int       // how many more it can open; -1 while it is stopping
	// Refuses lists customers it cannot serve, for lack of a usable connection.
	Refuses []string
	// Unreachable lists customers whose iCIMS does not answer this process.
	Unreachable []string
}

// Fleet is the list of workers at a time of the Redis clock.
type Fleet struct {
	Now     time.Time
	Workers map[string]Peer
}

// Lives reports whether the worker has sent a heartbeat recently.
func (f Fleet) Lives(worker string) bool {
	p, known := f.Workers[worker]
	return known && f.Now.Sub(p.Beat) < heartbeatTTL
}

// Alive reports whether any live worker accepts work.
func (f Fleet) Alive() bool {
	for worker, p := range f.Workers {
		if p.Free >= 0 && f.Lives(worker) {
			return true
		}
	}
	return false
}

// Beat sends a worker's heartbeat with its free lanes, and returns all workers.
func (l *Workers) Beat(ctx context.Context, p Peer) (Fleet, error) {
	answer, err := heartbeatScript.of(l.base).Run(ctx, l.redis, []string{workersKey}, p.Worker, p.Lanes, p.Free, strings.Join(p.Refuses, ","), strings.Join(p.Unreachable, ","), silentWorkersKept.Milliseconds()).Slice()
	if err != nil {
		return Fleet{}, fmt.Errorf("heartbeat: %w", err)
	}
	return readFleet(millis(text(answer[0])), pairs(answer[1])), nil
}

// Fleet reads the list of workers.
func (l *Workers) Fleet(ctx context.Context) (Fleet, error) {
	now, err := l.nowAt(ctx, workersKey)
	if err != nil {
		return Fleet{}, err
	}
	entries, err := l.redis.HGetAll(ctx, workersKey).Result()
	if err != nil {
		return Fleet{}, fmt.Errorf("read workers: %w", err)
	}
	return readFleet(now, entries), nil
}

// readFleet parses entries "beat (ms) lanes free refused,refused unreachable,unreachable".
func readFleet(now time.Time, entries map[string]string) Fleet {
	f := Fleet{Now: now, Workers: make(map[string]Peer, len(entries))}
	for worker, entry := range entries {
		parts := append(strings.Split(entry, " "), "", "", "", "", "")
		p := Peer{Worker: worker, Beat: millis(parts[0]), Lanes: int(number(parts[1])), Free: int(number(parts[2]))}
		if parts[3] != "" {
			p.Refuses = strings.Split(parts[3], ",")
		}
		if parts[4] != "" {
			p.Unreachable = strings.Split(parts[4], ",")
		}
		f.Workers[worker] = p
	}
	return f
}

// Leave removes an ended worker process from the list.
func (l *Workers) Leave(ctx context.Context, worker string) error {
	err := l.redis.HDel(ctx, workersKey, worker).Err()
	if err != nil {
		err = fmt.Errorf("deregister the worker: %w", err)
	}
	return errors.Join(err, l.deleteHeartbeats(ctx, worker))
}
