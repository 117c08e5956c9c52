package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// beatTTL is how long after its last beat a worker counts as dead.
const beatTTL = 7 * time.Second

// listedFor is for how long a worker that has fallen silent stays in the list of workers.
const listedFor = time.Minute

var beatScript = loadEssentialFleetScript("beat")

// Peer is a worker process in the list.
type Peer struct {
	Worker string
	Beat   time.Time // of its last beat, by Redis's clock
	Lanes  int       // open
	Free   int       // how many more it can open; -1 once it is stopping
	// Refuses are customers that it cannot serve, for want of a usable connection.
	Refuses []string
	// Unreachable are customers whose iCIMS does not answer this process.
	Unreachable []string
}

// Fleet is the list of workers at one time of Redis's clock.
type Fleet struct {
	Now     time.Time
	Workers map[string]Peer
}

// Lives reports whether the worker has beaten lately.
func (f Fleet) Lives(worker string) bool {
	p, known := f.Workers[worker]
	return known && f.Now.Sub(p.Beat) < beatTTL
}

// Alive reports whether any worker lives that takes work.
func (f Fleet) Alive() bool {
	for worker, p := range f.Workers {
		if p.Free >= 0 && f.Lives(worker) {
			return true
		}
	}
	return false
}

// Beat says that a worker process lives and what it has room for, and returns all workers.
func (l *Ledger) Beat(ctx context.Context, p Peer) (Fleet, error) {
	answer, err := beatScript.of(l).Run(ctx, l.redis, []string{workersKey}, p.Worker, p.Lanes, p.Free, strings.Join(p.Refuses, ","), strings.Join(p.Unreachable, ","), listedFor.Milliseconds()).Slice()
	if err != nil {
		return Fleet{}, fmt.Errorf("heartbeat: %w", err)
	}
	return readFleet(millis(text(answer[0])), pairs(answer[1])), nil
}

// Fleet reads the list of workers.
func (l *Ledger) Fleet(ctx context.Context) (Fleet, error) {
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

// readFleet reads entries "beat (ms) lanes free refused,refused unreachable,unreachable".
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

// Leave takes a worker process that has ended off the list.
func (l *Ledger) Leave(ctx context.Context, worker string) error {
	err := l.redis.HDel(ctx, workersKey, worker).Err()
	if err != nil {
		err = fmt.Errorf("deregister the worker: %w", err)
	}
	return errors.Join(err, l.leaveBeats(ctx, worker))
}
