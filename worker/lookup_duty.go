package worker

import (
	"context"
	"time"

	"github.com/seekout/icims-export/store"
)

// duty is to look the neighbours of an export up. One export of a lane at a time
// does it; the others wait for what it finds rather than ask the same themselves.
type duty struct {
	batch      store.BatchID
	epoch      int64
	row        int // of the first neighbour
	wanted     int
	neighbours []store.Neighbour
}

// tryDuty takes the duty if nobody has it.
func (l *lookups) tryDuty() bool {
	select {
	case <-l.onDuty:
		return true
	default:
		return false
	}
}

func (l *lookups) endDuty() { l.onDuty <- struct{}{} }

// claimed notes which export has come up and what its claim brought along. It ends
// the duty that was taken before the claim, or carries it on in the background.
func (l *lookups) claimed(x *export, asked []store.Ahead, onDuty bool) {
	c := x.claim
	l.enter(c.Epoch)
	d := &duty{batch: c.Batch, epoch: c.Epoch, row: c.FirstNeighbour, wanted: l.size - 1, neighbours: c.Neighbours}
	beyond := false // the neighbours continue what is known, rather than follow the export
	for _, a := range asked {
		if a.Batch == c.Batch && c.Row < a.First+len(a.Rows) {
			beyond, d.wanted = true, a.Neighbours
		}
	}
	x.looked = l.use(c.Batch, c.Row)
	switch {
	case !beyond:
		l.rememberNeedless(d)
		x.duty = d
	case onDuty && d.wanted > 0:
		x.duty = &duty{batch: c.Batch} // alone
		ctx, span := x.journey.beside(l.base, "look ahead")
		spawn(&l.background, l.log, "look-up ahead", func() {
			defer endSpan(span)
			defer l.endDuty()
			// An error leaves the neighbours unknown; each meets it in its own turn.
			_, _ = l.search(ctx, d, nil)
		})
		return
	default:
		x.duty = &duty{batch: c.Batch}
	}
	if onDuty {
		l.endDuty()
	}
}

// rememberNeedless notes the next neighbours as long as they need no look-up, so
// that not each of them brings the others along only to find that out.
func (l *lookups) rememberNeedless(d *duty) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.epoch != l.epoch {
		return
	}
	for i, n := range d.neighbours {
		if n.Payload != nil {
			return
		}
		a := l.of(d.batch, now)
		if row := d.row + i; row >= a.next() || len(a.rows) == 0 {
			a.put(row, &found{at: now})
		}
	}
}

// await returns what another export's look-up finds of this one, or looks it up
// together with its neighbours.
func (l *lookups) await(ctx context.Context, x *export) (*found, error) {
	if l.off() {
		return l.one(ctx, x)
	}
	if !l.tryDuty() {
		x.reserved.end() // whoever looks up may need that permit
		began := x.journey.clock()
		select {
		case <-l.onDuty:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		x.journey.waited(ctx, "another's look-up awaited", began, nil)
	}
	defer l.endDuty()
	if f := l.use(x.claim.Batch, x.claim.Row); f != nil && f.searched {
		return f, nil
	}
	return l.search(ctx, x.duty, x)
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
	for i, n := range d.neighbours {
		if l.seen(d.batch, d.row+i) {
			continue
		}
		if email, ok := emailOf(n); ok {
			addresses[n.Export] = email
			emails = append(emails, email)
		}
	}
	people, err := l.finder.byEmail(ctx, emails)
	if err != nil {
		return nil, err
	}
	if d.wanted > 0 {
		l.remember(d, now, addresses, people)
	}
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
		return nil, people.doubt
	}
	return &found{at: now, searched: true, people: own}, nil
}

func (l *lookups) remember(d *duty, now time.Time, addresses map[string]string, people *people) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.epoch != l.epoch {
		return // Redis went back meanwhile
	}
	a := l.of(d.batch, now)
	for i, n := range d.neighbours {
		if a.spans(d.row + i) {
			continue
		}
		f := &found{at: now}
		if email, ok := addresses[n.Export]; ok {
			own, sure := people.of(email)
			if !sure {
				f = nil // it will look for itself
			} else {
				f.searched, f.people = true, own
			}
		}
		a.put(d.row+i, f)
	}
	if d.row+len(d.neighbours) >= a.next() {
		a.end = len(d.neighbours) < d.wanted
	}
}

// seen reports whether a row was looked up, or passed, since its claim brought it
// along.
func (l *lookups) seen(batch store.BatchID, row int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.batches[batch]
	return a != nil && a.spans(row)
}

// of returns what is known of a batch, to be added to. The caller holds mu.
func (l *lookups) of(batch store.BatchID, now time.Time) *window {
	a := l.batches[batch]
	if a == nil {
		a = &window{}
		l.batches[batch] = a
	}
	a.at = now
	return a
}
