package api

import (
	"context"
	"sync"
	"time"

	"github.com/seekout/icims-export/store"
)

// watches look at the batches that anybody follows: all of them in one round trip a
// second, however many follow, and not at all while nobody does.
type watches struct {
	read     func(context.Context, ...store.BatchID) (map[store.BatchID]store.Batch, error)
	foretell func(context.Context, store.Batch) BatchStatus
	every    time.Duration
	life     context.Context //nolint:containedctx // it is the server's life, not a call's

	mu      sync.Mutex
	watched map[store.BatchID]*watched
	running bool
}

// watched is a batch that somebody follows.
type watched struct {
	followers map[chan BatchStatus]bool
	last      BatchStatus
	known     bool
	foretold  time.Time
}

const (
	// lookEvery is how often batches are looked at.
	lookEvery = time.Second
	// foretellEvery is how often the forecast of a batch is made anew: it takes more
	// round trips.
	foretellEvery = 5 * time.Second
)

func newWatches(s *Server) *watches {
	return &watches{
		read: s.Ledger.BatchesOf, foretell: s.statusOf, every: lookEvery, life: s.stopping, watched: map[store.BatchID]*watched{},
	}
}

// follow tells how a batch stands whenever that has changed; of several changes that
// nobody has taken the last. The channel is closed when the batch is forgotten.
func (w *watches) follow(id store.BatchID) (<-chan BatchStatus, func()) {
	follower := make(chan BatchStatus, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.watched[id]
	if b == nil {
		b = &watched{followers: map[chan BatchStatus]bool{}}
		w.watched[id] = b
	}
	b.followers[follower] = true
	if b.known {
		follower <- b.last
	}
	if !w.running {
		w.running = true
		go w.run()
	}
	return follower, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(b.followers, follower); len(b.followers) == 0 && w.watched[id] == b {
			delete(w.watched, id)
		}
	}
}

func (w *watches) run() {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-w.life.Done():
			w.mu.Lock()
			w.running = false
			w.mu.Unlock()
			return
		}
		ids := w.ids()
		if ids == nil {
			return
		}
		w.look(ids)
	}
}

// ids are the batches that are followed; none ends the watch.
func (w *watches) ids() []store.BatchID {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.watched) == 0 {
		w.running = false
		return nil
	}
	ids := make([]store.BatchID, 0, len(w.watched))
	for id := range w.watched {
		ids = append(ids, id)
	}
	return ids
}

// look reads the batches and tells what has changed.
func (w *watches) look(ids []store.BatchID) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(w.life, patience)
	defer cancel()
	batches, err := w.read(ctx, ids...)
	if err != nil {
		return // those who follow go on waiting; another look comes in a second
	}
	for _, id := range ids {
		b, kept := batches[id]
		last, changed, stale := w.compare(id, b)
		switch {
		case !kept:
			w.forget(id)
		case stale && (changed || b.Moving() > 0):
			w.tell(id, w.foretell(ctx, b), true)
		case changed:
			last.Batch, last.Moving = b, b.Moving()
			if last.Moving == 0 {
				last.Forecast, last.Waits = nil, nil
			}
			w.tell(id, last, false)
		}
	}
}

// compare holds a batch against what was told last.
func (w *watches) compare(id store.BatchID, b store.Batch) (last BatchStatus, changed, stale bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.watched[id]
	if known == nil {
		return last, false, false
	}
	return known.last, !known.known || known.last.Batch != b, time.Since(known.foretold) >= foretellEvery
}

func (w *watches) tell(id store.BatchID, status BatchStatus, foretold bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.watched[id]
	if b == nil {
		return
	}
	if foretold {
		b.foretold = time.Now()
	}
	same := b.known && eventID(b.last) == eventID(status)
	b.last, b.known = status, true
	if same {
		return
	}
	for follower := range b.followers {
		select {
		case <-follower: // what was not taken is old
		default:
		}
		follower <- status
	}
}

func (w *watches) forget(id store.BatchID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.watched[id]
	if b == nil {
		return
	}
	for follower := range b.followers {
		close(follower)
	}
	delete(w.watched, id)
}
