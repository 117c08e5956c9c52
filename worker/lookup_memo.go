package worker

import (
	"context"
	"sync"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// A search of iCIMS takes several addresses, so one call answers for an export
// and its neighbours in the batch. lookups remembers the answers until the
// neighbours come up, for at most a few minutes: someone else may create one of
// the people meanwhile.
//
// One export at a time does that duty for a lane; the others wait for what it
// finds rather than ask the same themselves.
type lookups struct {
	finder *finder
	keys   *store.Keyset
	size   int             // addresses a call
	maxAge time.Duration   // of an answer
	base   context.Context //nolint:containedctx // the lane's life, for look-ups in the background

	onDuty     chan struct{} // holds one token while nobody is on duty
	background sync.WaitGroup

	mu        sync.Mutex
	found     map[string]*found       // by export
	frontiers map[store.BatchID]front // how far each batch is looked up
}

// found is what a look-up knows of one export.
type found struct {
	batch store.BatchID
	row   int
	at    time.Time
	// searched is false for an export that needed no look-up when its turn came.
	searched bool
	// people have the export's e-mail; purged profiles are left out.
	people []*icims.Person
}

func (f *found) nobody() bool { return f != nil && f.searched && len(f.people) == 0 }

// front is how far a batch is looked up.
type front struct {
	row int       // the last row looked up
	end bool      // there was nothing beyond it
	at  time.Time // for forgetting
}

func newLookups(base context.Context, f *finder, keys *store.Keyset, size int, maxAge time.Duration) *lookups {
	l := &lookups{
		finder: f, keys: keys, size: size, maxAge: maxAge, base: base,
		onDuty: make(chan struct{}, 1),
		found:  map[string]*found{}, frontiers: map[store.BatchID]front{},
	}
	l.onDuty <- struct{}{}
	return l
}

// duty is the task to look neighbours up. The zero of everything but lookups
// means: an export and those that follow it.
type duty struct {
	lookups *lookups
	wanted  int // neighbours to ask the ledger for
	skip    int // neighbours known already
	// ahead is set where the export itself is known and the duty is to look
	// further ahead, in the background.
	ahead bool

	batch      store.BatchID
	row        int
	neighbours []store.Neighbour
	over       bool
}

// enter returns what is known of an export before it is claimed, and the duty to
// look others up where that falls to this export. It waits while another export
// is on duty that may bring the answer.
func (l *lookups) enter(ctx context.Context, export string) (*found, *duty, error) {
	if l.size <= 1 || l.maxAge <= 0 {
		return nil, nil, nil // each looks for itself
	}
	for {
		if f, low, skip := l.recall(export); f != nil {
			if low {
				select {
				case <-l.onDuty:
					return f, &duty{lookups: l, wanted: l.size, skip: skip, ahead: true}, nil
				default:
				}
			}
			return f, nil, nil
		}
		select {
		case <-l.onDuty:
			// What the one before found may include this export.
			if f, _, _ := l.recall(export); f != nil {
				l.onDuty <- struct{}{}
				continue
			}
			return nil, &duty{lookups: l, wanted: l.size - 1}, nil
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// recall returns what is known of the export. low tells that little of its batch
// is known beyond it, and skip how many neighbours are.
func (l *lookups) recall(export string) (f *found, low bool, skip int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f = l.found[export]
	if f == nil || time.Since(f.at) > l.maxAge {
		return nil, false, 0
	}
	if edge, ok := l.frontiers[f.batch]; ok && !edge.end {
		skip = edge.row - f.row
		low = l.size > 1 && skip < l.size/2
	}
	return f, low, skip
}

// claimed notes that the export has come up, and what its duty is about.
func (l *lookups) claimed(x *export) {
	l.mu.Lock()
	delete(l.found, x.ref.Export)
	l.mu.Unlock()
	d := x.duty
	if d == nil {
		return
	}
	d.batch, d.row, d.neighbours = x.claim.Batch, x.claim.Row, x.claim.Neighbours
	if d.ahead {
		d.continueInBackground()
	}
}

// restore gives back what was found of an export that was put off before it
// could use it.
func (l *lookups) restore(x *export) {
	if x.claim == nil || x.looked == nil || !x.looked.searched {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found[x.ref.Export] = x.looked
}

// end gives the duty up where it was not carried out.
func (d *duty) end() {
	if d == nil || d.over {
		return
	}
	d.over = true
	d.lookups.rememberNeedless(d)
	d.lookups.onDuty <- struct{}{}
}

// rememberNeedless notes neighbours that need no look-up, so that each of them
// does not take the duty in turn only to find that out.
func (l *lookups) rememberNeedless(d *duty) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, n := range d.neighbours {
		if n.Payload == nil {
			l.found[n.Export] = &found{batch: d.batch, row: d.row + d.skip + 1 + i, at: now}
		}
	}
}

// continueInBackground looks the neighbours up without the export, which goes on.
func (d *duty) continueInBackground() {
	if d == nil || d.over {
		return
	}
	d.over = true
	l := d.lookups
	l.background.Go(func() {
		defer func() { l.onDuty <- struct{}{} }()
		// An error leaves the neighbours unknown; each meets it in its own turn.
		_, _ = l.search(l.base, d, nil)
	})
}

// carryOut looks the export up together with the neighbours.
func (d *duty) carryOut(ctx context.Context, x *export) (*found, error) {
	defer d.end()
	return d.lookups.search(ctx, d, x)
}

// search looks up the neighbours of a duty and, unless nil, the export itself.
// It remembers the neighbours and returns what it found of the export.
func (l *lookups) search(ctx context.Context, d *duty, x *export) (*found, error) {
	now := time.Now()
	addresses := map[string]string{} // by export
	var emails []string
	if x != nil {
		emails = append(emails, x.payload.Candidate.Email)
	}
	for _, n := range d.neighbours {
		if email, ok := emailOf(n); ok {
			addresses[n.Export] = email
			emails = append(emails, email)
		}
	}
	people, err := l.finder.byEmail(ctx, emails)
	if err != nil {
		return nil, err
	}
	l.remember(d, now, addresses, people)
	if x == nil {
		return nil, nil
	}
	own, sure := people.of(x.payload.Candidate.Email)
	if !sure {
		return l.one(ctx, x)
	}
	return &found{at: now, searched: true, people: own}, nil
}

// one looks up a single export.
func (l *lookups) one(ctx context.Context, x *export) (*found, error) {
	email := x.payload.Candidate.Email
	now := time.Now()
	people, err := l.finder.byEmail(ctx, []string{email})
	if err != nil {
		return nil, err
	}
	own, sure := people.of(email)
	if !sure {
		return nil, people.unreadable
	}
	return &found{at: now, searched: true, people: own}, nil
}

func (l *lookups) remember(d *duty, now time.Time, addresses map[string]string, people *people) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	for i, n := range d.neighbours {
		f := &found{batch: d.batch, row: d.row + d.skip + 1 + i, at: now}
		if email, ok := addresses[n.Export]; ok {
			own, sure := people.of(email)
			if !sure {
				continue // it will look for itself
			}
			f.searched, f.people = true, own
		}
		l.found[n.Export] = f
	}
	l.frontiers[d.batch] = front{row: d.row + d.skip + len(d.neighbours), end: len(d.neighbours) < d.wanted, at: now}
}

// forget drops what is too old to be used.
func (l *lookups) forget(now time.Time) {
	for export, f := range l.found {
		if now.Sub(f.at) > l.maxAge {
			delete(l.found, export)
		}
	}
	for batch, edge := range l.frontiers {
		if now.Sub(edge.at) > l.maxAge {
			delete(l.frontiers, batch)
		}
	}
}
