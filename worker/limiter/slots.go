package limiter

import (
	"sync"
	"time"
)

// Slots bound the calls in flight of a process, over all its customers. A limiter that gets none
// is woken when slots are free, first come, first served.
type Slots struct {
	mu      sync.Mutex
	free    int
	waiting []*Limiter
	number  int64 // of the last permit requested: requests of a process must not share numbers
}

// NewSlots returns n slots.
func NewSlots(n int) *Slots { return &Slots{free: n} }

// Free returns the number of free slots.
func (s *Slots) Free() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free
}

// take takes up to n slots. A limiter that gets none is woken later.
func (s *Slots) take(n int, l *Limiter) int {
	if n == 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, s.free)
	s.free -= n
	if n == 0 && !l.queued {
		l.queued = true
		s.waiting = append(s.waiting, l)
	}
	s.wakeNext()
	return n
}

// put returns n slots. A woken limiter that needs none puts 0, so that the next one is woken.
func (s *Slots) put(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
	s.wakeNext()
}

// wakeNext wakes the next limiter, in the background, since the caller may hold its lock. The
// caller holds the lock of the slots.
func (s *Slots) wakeNext() {
	if s.free == 0 || len(s.waiting) == 0 {
		return
	}
	l := s.waiting[0]
	s.waiting = s.waiting[1:]
	l.queued = false
	time.AfterFunc(0, l.wake)
}

// numbers returns the first of n numbers for permits, and reserves at least one.
func (s *Slots) numbers(n int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.number + 1
	s.number += int64(max(n, 1))
	return first
}
