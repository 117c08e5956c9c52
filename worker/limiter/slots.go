package limiter

import (
	"sync"
	"time"
)

// Slots bound the calls in flight of a process, over all its customers. A limiter that finds
// none is woken when there are some again, each in its turn.
type Slots struct {
	mu      sync.Mutex
	free    int
	waiting []*Limiter
	number  int64 // of the last permit asked for: no two requests of a process share numbers
}

// NewSlots returns n slots.
func NewSlots(n int) *Slots { return &Slots{free: n} }

// Free is how many slots are free.
func (s *Slots) Free() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free
}

// take takes up to n slots; none means that the limiter is woken later.
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

// give returns n slots. A limiter that was woken and needs none gives none, so that the next
// one is woken.
func (s *Slots) put(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
	s.wakeNext()
}

// wakeNext is for holders of the lock. The limiter is not called here, as the caller may
// hold its lock.
func (s *Slots) wakeNext() {
	if s.free == 0 || len(s.waiting) == 0 {
		return
	}
	l := s.waiting[0]
	s.waiting = s.waiting[1:]
	l.queued = false
	time.AfterFunc(0, l.wake)
}

// numbers returns the first of n numbers for permits, at least one.
func (s *Slots) numbers(n int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.number + 1
	s.number += int64(max(n, 1))
	return first
}
