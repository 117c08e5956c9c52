package api

import (
	"context"
	"sync"
	"time"

	"github.com/seekout/icims-export/store"
)

// watches read the followed batches, all in one round trip per second, and stop when there are no
// followers.
type watches struct {
	read     func(context.Context, ...store.BatchID) (map[store.BatchID]store.Batch, error)
	foretell func(context.Context, store.Batch) BatchStatus
	every    time.Duration
	life     context.Context //nolint:containedctx // it is the server's life, not a call's

	mu      sync.Mutex
	watched map[store.BatchID]*watched
	running bool
}

// watched is a batch with followers.
type watched struct {
	followers map[chan BatchStatus]bool
	last      BatchStatus
	known     bool
	foretold  time.Time
}

const (
	// readEvery is how often batches are read.
	readEvery = time.Second
	// forecastEvery is how often forecasts are computed, which takes more round trips.
	forecastEvery = 5 * time.Second
)

func newWatches(s *Server) *watches {
	return &watches{
		read: s.Ledger.Batches.GetAll, foretell: s.statusOf, every: readEvery, life: s.stopping, watched: map[store.BatchID]*watched{},
	}
}

// follow sends the batch's state whenever it has changed. A slow follower gets only the latest
// state. The channel is closed when the batch is deleted.
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

// ids returns the followed batches; none ends the watch.
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

// look reads the batches and sends changes.
func (w *watches) look(ids []store.BatchID) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(w.life, patience)
	defer cancel()
	batches, err := w.read(ctx, ids...)
	if err != nil {
		return // followers keep waiting; the next read comes in a second
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

// compare compares a batch with the last sent state.
func (w *watches) compare(id store.BatchID, b store.Batch) (last BatchStatus, changed, stale bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.watched[id]
	if known == nil {
		return last, false, false
	}
	return known.last, !known.known || known.last.Batch != b, time.Since(known.foretold) >= forecastEvery
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
		case <-follower: // replaces an unread state
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
