package api

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

// sse reads a stream of events.
type sse struct {
	*http.Response
	t     *testing.T
	lines *bufio.Scanner
}

// event is one event.
type event struct {
	id, kind string
	data     BatchStatus
	problem  Problem // of events called "problem"
}

func (r *rig) follow(key, last string) *sse {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	r.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL+"/v1/customers/1234/batches/"+string(r.batch)+"/events", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	response, err := r.server.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { response.Body.Close() })
	return &sse{response, r.t, bufio.NewScanner(response.Body)}
}

// next reads the next event; false at the end of the stream.
func (s *sse) next() (event, bool) {
	s.t.Helper()
	var e event
	for s.lines.Scan() {
		switch name, value, _ := strings.Cut(s.lines.Text(), ": "); name {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			into := any(&e.data)
			if e.kind == "problem" {
				into = &e.problem
			}
			if err := json.Unmarshal([]byte(value), into); err != nil {
				s.t.Fatal(err)
			}
		case "":
			if e.kind != "" {
				return e, true
			}
		}
	}
	return e, false
}

// must reads events up to one of the kind that satisfies holds.
func (s *sse) must(kind string, holds func(BatchStatus) bool) event {
	s.t.Helper()
	for {
		e, ok := s.next()
		if !ok {
			s.t.Fatalf("the stream ended before %s", kind)
		}
		if e.kind == kind && holds(e.data) {
			return e
		}
	}
}

func hurry(r *rig) *rig {
	r.watches.every = 5 * time.Millisecond
	return r
}

func TestFollowBatchToItsEnd(t *testing.T) {
	t.Parallel()
	r := hurry(newRig(t))
	refs := r.accept("1234", 7, "c-1", "c-2")
	key := r.key(ScopeRead, "1234")
	s := r.follow(key, "")
	if kind := s.Header.Get("Content-Type"); s.StatusCode != http.StatusOK || kind != mediaEvents {
		t.Fatal(s.Status, kind)
	}
	first := s.must("progress", func(b BatchStatus) bool { return b.Moving == 2 })
	if first.data.Forecast == nil || first.id == "" {
		t.Errorf("first: %+v", first)
	}
	done := store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 7, Workflow: 3, Calls: 2}
	r.finish(refs[0], done)
	second := s.must("progress", func(b BatchStatus) bool { return b.Created == 1 })
	if second.data.Calls != 2 || second.id == first.id {
		t.Errorf("second: %+v", second)
	}
	r.finish(refs[1], done)
	last := s.must("end", func(b BatchStatus) bool { return b.Created == 2 && b.Moving == 0 })
	if _, more := s.next(); more {
		t.Error("there is more after the end")
	}
	if again := r.follow(key, last.id); again.StatusCode != http.StatusNoContent {
		t.Errorf("who has had the end is answered %s", again.Status)
	}
	late := r.follow(key, second.id)
	if e, _ := late.next(); e.kind != "end" {
		t.Errorf("who has missed the end gets %+v", e)
	}
}

func TestReconnectingFollowerGetsNoEventTwice(t *testing.T) {
	t.Parallel()
	r := hurry(newRig(t))
	refs := r.accept("1234", 7, "c-1", "c-2")
	key := r.key(ScopeRead)
	first, _ := r.follow(key, "").next()
	s := r.follow(key, first.id)
	r.finish(refs[0], store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore})
	if e, ok := s.next(); !ok || e.data.Skipped != 1 {
		t.Errorf("after coming back: %+v", e)
	}
}

func TestManyFollowersReadRedisOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	refs := r.accept("1234", 7, "c-1", "c-2", "c-3")
	var looks, asked atomic.Int64
	ticks := make(chan struct{})
	read := r.watches.read
	r.watches.every = time.Millisecond
	r.watches.read = func(ctx context.Context, ids ...store.BatchID) (map[store.BatchID]store.Batch, error) {
		select {
		case <-ticks:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		looks.Add(1)
		asked.Add(int64(len(ids)))
		return read(ctx, ids...)
	}
	key := r.key(ScopeRead)
	const followers = 20
	streams := make([]*sse, followers)
	for i := range streams {
		streams[i] = r.follow(key, "")
		streams[i].must("progress", func(b BatchStatus) bool { return b.Moving == 3 })
	}
	for n, ref := range refs {
		r.finish(ref, store.Finish{To: store.Skipped, Counter: store.CountSkipped, Reason: store.ReasonExportedBefore})
		kind := "progress"
		if n == len(refs)-1 {
			kind = "end"
		}
		ticks <- struct{}{}
		for _, s := range streams {
			if e, ok := s.next(); !ok || e.kind != kind || e.data.Skipped != n+1 {
				t.Fatalf("after look %d: %+v, %v", n+1, e, ok)
			}
		}
	}
	if looks.Load() != int64(len(refs)) || asked.Load() != int64(len(refs)) {
		t.Errorf("%d followers took %d looks at %d batches", followers, looks.Load(), asked.Load())
	}
	for _, s := range streams {
		s.next() // until the end of the stream
	}
	testrig.Eventually(t, "nobody is listened to any more", func() bool {
		r.watches.mu.Lock()
		defer r.watches.mu.Unlock()
		return len(r.watches.watched) == 0
	})
}

func TestStreamsEndWhenTheServiceStops(t *testing.T) {
	t.Parallel()
	r := hurry(newRig(t))
	r.accept("1234", 7, "c-1")
	s := r.follow(r.key(ScopeRead), "")
	s.must("progress", func(b BatchStatus) bool { return b.Moving == 1 })
	r.Close()
	if e, more := s.next(); more {
		t.Errorf("the stream goes on: %+v", e)
	}
}

func TestFollowUnknownBatch(t *testing.T) {
	t.Parallel()
	r := hurry(newRig(t))
	key := r.key(ScopeRead, "1234")
	r.call(key, http.MethodGet, "/v1/customers/1234/batches/1234-aaaaaaaaaaaaaaaa/events", nil).problem(CodeNoBatch)
	r.accept("99", 7, "c-1")
	r.call(key, http.MethodGet, "/v1/customers/99/batches/"+string(r.batch)+"/events", nil).problem(CodeCustomerUnknown)
	r.call(key, http.MethodGet, "/v1/customers/1234/batches/"+string(r.batch)+"/events", nil).problem(CodeNoBatch)
}

func TestDeletedBatchEndsItsStream(t *testing.T) {
	t.Parallel()
	r := hurry(newRig(t))
	r.accept("1234", 7, "c-1")
	s := r.follow(r.key(ScopeRead), "")
	s.must("progress", func(b BatchStatus) bool { return b.Moving == 1 })
	if err := r.redis.Del(t.Context(), "ix:{1234}:b:"+strings.TrimPrefix(string(r.batch), "1234-")).Err(); err != nil {
		t.Fatal(err)
	}
	if e, more := s.next(); more {
		t.Errorf("the stream goes on: %+v", e)
	}
}
