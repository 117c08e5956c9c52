package icimstest

import (
	"maps"
	"sync"
	"time"
)

// Call is one request received by the simulator, without credentials.
type Call struct {
	At       time.Time     `json:"at"`
	Seq      int           `json:"seq"`
	Customer string        `json:"customer"`
	Method   string        `json:"method"`
	Path     string        `json:"path"`
	Query    string        `json:"query,omitempty"`
	Route    string        `json:"route"`            // name of the pattern; "" when none matched
	Section  string        `json:"section"`          // of the API sheet
	Status   int           `json:"status"`           // as sent; 0 while in flight or without a response
	Fault    string        `json:"fault,omitempty"`  // the injected fault
	Effect   bool          `json:"effect,omitempty"` // the call changed something
	Created  int64         `json:"created,omitempty"`
	Body     []byte        `json:"-"`
	Took     time.Duration `json:"took"`
}

// bodyBudget limits the request bodies kept in the log, in bytes.
const bodyBudget = 64 << 20

// callLog keeps the last calls in a ring and counts all calls.
type callLog struct {
	mu     sync.Mutex
	keep   int
	ring   []*Call
	next   int // slot of the next call once the ring is full
	total  int
	counts map[string]int // by route
	bodies int
	oldest int // seq of the oldest call whose body may be kept
}

func newCallLog(keep int) *callLog {
	return &callLog{keep: max(keep, 0), counts: map[string]int{}, oldest: 1}
}

// begin adds a call and numbers it.
func (l *callLog) begin(c *Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	c.Seq = l.total
	l.counts[c.Route]++
	if l.keep == 0 {
		return
	}
	if len(l.ring) < l.keep {
		l.ring = append(l.ring, c)
	} else {
		l.bodies -= len(l.ring[l.next].Body)
		l.ring[l.next] = c
		l.next = (l.next + 1) % l.keep
	}
	l.bodies += len(c.Body)
	for l.bodies > bodyBudget {
		l.dropOldestBody()
	}
}

func (l *callLog) dropOldestBody() {
	first := l.ring[l.next%len(l.ring)].Seq
	l.oldest = max(l.oldest, first)
	i := (l.next + l.oldest - first) % len(l.ring)
	l.bodies -= len(l.ring[i].Body)
	l.ring[i].Body = nil
	l.oldest++
}

func (l *callLog) update(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// Calls returns the kept calls in order of arrival, without management requests.
func (s *Simulator) Calls() []Call {
	l := s.calls
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Call, 0, len(l.ring))
	for i := range l.ring {
		out = append(out, *l.ring[(l.next+i)%len(l.ring)])
	}
	return out
}

// CallCount returns the number of calls since the start or the last ResetCalls.
func (s *Simulator) CallCount() int {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	return s.calls.total
}

// CallCounts returns CallCount by route name.
func (s *Simulator) CallCounts() map[string]int {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	out := make(map[string]int, len(s.calls.counts))
	maps.Copy(out, s.calls.counts)
	return out
}

// ResetCalls empties the call log. Seq restarts at 1; the daily quota is unchanged.
func (s *Simulator) ResetCalls() {
	l := s.calls
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring, l.next, l.total, l.bodies, l.oldest = nil, 0, 0, 0, 1
	clear(l.counts)
}
