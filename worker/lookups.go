package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/singleflight"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// lookups finds the people with a candidate's email. A search takes several addresses, so rows of
// a batch are looked up in chunks: the first export of a chunk looks up the whole chunk, and the
// others use the answer for a few minutes at most, since people may be created meanwhile.
type lookups struct {
	finder *finder
	ledger *store.Ledger
	size   int           // rows of a chunk
	maxAge time.Duration // of an answer
	log    zerolog.Logger

	searching singleflight.Group

	mu     sync.Mutex
	chunks map[chunkKey]*chunk
}

// chunkKey identifies a chunk. Answers from before Redis lost writes are invalid, so the epoch is
// part of the key (see store.Claim).
type chunkKey struct {
	batch store.BatchID
	first int // row
	epoch int64
}

// chunk is the answer of one search.
type chunk struct {
	at     time.Time
	asked  map[string]bool // addresses in lower case
	people *people
}

// found are the people with an export's email, without purged profiles.
type found struct{ people []*icims.Person }

func (f *found) none() bool { return len(f.people) == 0 }

func newLookups(f *finder, ledger *store.Ledger, size int, maxAge time.Duration, log zerolog.Logger) *lookups {
	return &lookups{finder: f, ledger: ledger, size: size, maxAge: maxAge, log: log, chunks: map[chunkKey]*chunk{}}
}

// of looks up an export together with its chunk. An export that failed before is looked up alone.
func (l *lookups) of(ctx context.Context, x *export) (*found, error) {
	if l.size <= 1 || l.maxAge <= 0 || x.claim.Attempts > 0 {
		return l.one(ctx, x)
	}
	key := chunkKey{x.claim.Batch, x.claim.Row - x.claim.Row%l.size, x.claim.Epoch}
	email := strings.ToLower(x.payload.Candidate.Email)
	c := l.known(key, email)
	if c == nil {
		var err error
		if c, err = l.search(ctx, key, x); err != nil {
			return nil, err
		}
	}
	own, sure := c.people.of(email)
	if !c.asked[email] || !sure {
		return l.one(ctx, x)
	}
	return &found{own}, nil
}

// known returns the chunk's answer if it covers the address and is recent enough, or nil.
func (l *lookups) known(key chunkKey, email string) *chunk {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.chunks[key]
	if c == nil || !c.asked[email] || time.Since(c.at) > l.maxAge {
		return nil
	}
	return c
}

// search looks up a chunk. Concurrent exports of the chunk share one answer.
func (l *lookups) search(ctx context.Context, key chunkKey, x *export) (*chunk, error) {
	began := x.trace.waitStart()
	// The others need the answer even if this export is canceled.
	searching := context.WithoutCancel(ctx)
	done := l.searching.DoChan(fmt.Sprint(key), func() (answer any, err error) {
		// singleflight rethrows panics in a goroutine, which would end the process.
		err = panics.Logged(l.log, "look-up", func() (err error) {
			answer, err = l.searchFor(searching, key, x)
			return err
		})
		return answer, err
	})
	select {
	case answer := <-done:
		if answer.Shared {
			x.trace.waited(ctx, "look-up of the chunk awaited", began, answer.Err)
		}
		if answer.Err != nil {
			return nil, answer.Err
		}
		c, _ := answer.Val.(*chunk)
		return c, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// searchFor looks up a chunk and caches the answer.
func (l *lookups) searchFor(ctx context.Context, key chunkKey, x *export) (*chunk, error) {
	neighbours, err := l.ledger.Neighbors(ctx, x.claim, key.first, l.size)
	if err != nil {
		return nil, err
	}
	c := &chunk{at: time.Now(), asked: map[string]bool{}}
	emails := []string{x.payload.Candidate.Email}
	for _, n := range neighbours {
		if p, err := tasks.DecodePayload(n.Payload); err == nil && n.Export != x.ref.Export {
			emails = append(emails, p.Candidate.Email)
		}
	}
	for _, e := range emails {
		c.asked[strings.ToLower(e)] = true
	}
	c.people, err = l.finder.byEmail(ctx, emails)
	if e, ok := errors.AsType[*icims.Error](err); ok && e.RefusesSearch() {
		// One of the addresses may be the cause, or their number: each is looked up alone.
		c.people, err = &people{doubt: err}, nil
	}
	if err != nil {
		return nil, err
	}
	l.remember(key, c)
	return c, nil
}

// remember caches an answer and evicts old ones.
func (l *lookups) remember(key chunkKey, c *chunk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for other, old := range l.chunks {
		if time.Since(old.at) > l.maxAge || other.epoch < key.epoch {
			delete(l.chunks, other)
		}
	}
	l.chunks[key] = c
}

// one looks up a single export.
func (l *lookups) one(ctx context.Context, x *export) (*found, error) {
	email := x.payload.Candidate.Email
	people, err := l.finder.byEmail(ctx, []string{email})
	if err != nil {
		return nil, err
	}
	own, sure := people.of(email)
	if !sure {
		return nil, people.doubt
	}
	return &found{own}, nil
}
