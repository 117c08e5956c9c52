package worker

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// A search of iCIMS takes several addresses, so one call answers for an export
// and its neighbours in the batch. lookups remembers the answers until the
// neighbours come up, for at most a few minutes: someone else may create one of
// the people meanwhile.
//
// Which export a task serves is decided by its claim, so a claim takes along what
// is known of all that may come up.
type lookups struct {
	finder *finder
	keys   *store.Keyset
	size   int             // addresses a call
	maxAge time.Duration   // of an answer
	base   context.Context //nolint:containedctx // the lane's life, for look-ups in the background

	log zerolog.Logger

	onDuty     chan struct{} // holds one token while nobody is on duty
	background sync.WaitGroup

	mu      sync.Mutex
	epoch   int64 // that the batches are of, see store.Claim
	batches map[store.BatchID]*window
}

// window is what is known of consecutive rows of a batch.
type window struct {
	first  int
	rows   []*found // nil = not known, or used
	served int      // the last row that came up
	end    bool     // there was nothing beyond the rows
	at     time.Time
}

// found is what a look-up knows of one export.
type found struct {
	at time.Time
	// searched is false for an export that needed no look-up when it was seen.
	searched bool
	// people have the export's e-mail; purged profiles are left out.
	people []*icims.Person
}

func (f *found) nobody() bool { return f != nil && f.searched && len(f.people) == 0 }

func newLookups(base context.Context, f *finder, keys *store.Keyset, size int, maxAge time.Duration, log zerolog.Logger) *lookups {
	l := &lookups{
		finder: f, keys: keys, size: size, maxAge: maxAge, base: base, log: log,
		onDuty: make(chan struct{}, 1), batches: map[store.BatchID]*window{},
	}
	l.onDuty <- struct{}{}
	return l
}

// off reports whether each export looks for itself.
func (l *lookups) off() bool { return l.size <= 1 || l.maxAge <= 0 }

// expectNobody reports whether an export may come up next who is known to be
// missing from iCIMS.
func (l *lookups) expectNobody() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.batches {
		for row := max(w.served+1, w.first); row < w.next(); row++ {
			if w.get(row).nobody() {
				return true
			}
		}
	}
	return false
}

// knownBatches bounds how many batches a claim takes along.
const knownBatches = 64

// known is what a claim is to know of the exports that may come up. Where that is
// little of some batch and nobody is on duty, the duty is taken, to look further
// ahead. Unless speculation makes sense, nobody is said to be missing from iCIMS.
func (l *lookups) known(speculate bool) (known []store.Ahead, epoch int64, onDuty bool) {
	known, epoch, low := l.survey(time.Now(), speculate)
	if low && l.tryDuty() {
		return known, epoch, true
	}
	for i := range known {
		known[i].Neighbours = 0
	}
	return known, epoch, false
}

// enter drops what is of an earlier epoch.
func (l *lookups) enter(epoch int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if epoch > l.epoch {
		clear(l.batches)
		l.epoch = epoch
	}
}

func (l *lookups) survey(now time.Time, speculate bool) (known []store.Ahead, epoch int64, low bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for batch, a := range l.batches {
		if now.Sub(a.at) > l.maxAge {
			delete(l.batches, batch)
			continue
		}
		a.expire(now.Add(-l.maxAge))
		k := store.Ahead{Batch: batch, First: a.first, Rows: a.render(speculate)}
		// A batch whose last look-up lasted for less than a second is looked up further
		// ahead, so that no claim comes before its look-up.
		enough := l.size / 2
		if now.Sub(a.at) < time.Second {
			enough = l.size
		}
		if !a.end && a.next()-1-a.served < enough {
			k.Neighbours, low = l.size, true
		}
		known = append(known, k)
	}
	slices.SortFunc(known, func(a, b store.Ahead) int {
		return cmp.Or(l.batches[b.Batch].at.Compare(l.batches[a.Batch].at), cmp.Compare(a.Batch, b.Batch))
	})
	return known[:min(len(known), knownBatches)], l.epoch, low
}

// recall returns what is known of a row.
func (l *lookups) recall(batch store.BatchID, row int) *found {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.batches[batch]; a != nil {
		if f := a.get(row); f != nil && time.Since(f.at) <= l.maxAge {
			return f
		}
	}
	return nil
}

// use is recall for a row that has come up: what is known of it serves once.
func (l *lookups) use(batch store.BatchID, row int) *found {
	f := l.recall(batch, row)
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.batches[batch]; a != nil {
		a.serve(row, l.size)
	}
	return f
}

// restore gives back what was found of an export that was put off before it
// could use it.
func (l *lookups) restore(x *export) {
	if x.claim == nil || x.looked == nil || !x.looked.searched {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.batches[x.claim.Batch]; a != nil && x.claim.Epoch == l.epoch && a.spans(x.claim.Row) {
		a.rows[x.claim.Row-a.first] = x.looked
	}
}

// next is the first row that was not looked up.
func (w *window) next() int { return w.first + len(w.rows) }

func (w *window) spans(row int) bool { return row >= w.first && row < w.next() }

func (w *window) get(row int) *found {
	if !w.spans(row) {
		return nil
	}
	return w.rows[row-w.first]
}

// put adds a row, before or behind the others with a gap where need be.
func (w *window) put(row int, f *found) {
	const maxGap = 200
	if len(w.rows) == 0 || row > w.next()+maxGap || row < w.first-maxGap {
		w.first, w.rows = row, nil
	}
	if row < w.first {
		w.rows = append(make([]*found, w.first-row), w.rows...)
		w.first = row
	}
	for w.next() <= row {
		w.rows = append(w.rows, nil)
	}
	w.rows[row-w.first] = f
}

// serve notes that a row has come up. Others before it may be in the hands of
// claims whose answers are on their way, but not many.
func (w *window) serve(row, behind int) {
	if w.spans(row) {
		w.rows[row-w.first] = nil
	}
	w.served = max(w.served, row)
	if drop := min(w.served-behind-w.first, len(w.rows)); drop > behind {
		w.rows = slices.Clone(w.rows[drop:])
		w.first += drop
	}
}

// expire forgets what is too old, with all that was looked up beyond it.
func (w *window) expire(before time.Time) {
	for i, f := range w.rows {
		if f == nil || !f.at.Before(before) {
			continue
		}
		if w.first+i > w.served {
			w.rows, w.end = w.rows[:i], false
			return
		}
		w.rows[i] = nil
	}
}

func (w *window) render(speculate bool) string {
	rows := bytes.Repeat([]byte{store.AheadUnknown}, len(w.rows))
	for i, f := range w.rows {
		switch {
		case f == nil:
		case speculate && f.nobody():
			rows[i] = store.AheadNobody
		default:
			rows[i] = store.AheadKnown
		}
	}
	return string(rows)
}
