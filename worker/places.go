package worker

import "sync"

// places bound the calls in flight of a process, over all its lanes. A gate that
// finds none is woken when there are some again, each in its turn.
type places struct {
	mu      sync.Mutex
	free    int
	waiting []*gate
}

func newPlaces(n int) *places { return &places{free: n} }

// take gives up to n places; none means that the gate is woken later.
func (p *places) take(n int, g *gate) int {
	if n == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n = min(n, p.free)
	p.free -= n
	if n == 0 && !g.queued {
		g.queued = true
		p.waiting = append(p.waiting, g)
	}
	p.wakeNext()
	return n
}

// give takes n places back. A gate that was woken and needs none gives none, so
// that the next one is woken.
func (p *places) give(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free += n
	p.wakeNext()
}

// left is how many places are free.
func (p *places) left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.free
}

// wakeNext is for holders of the lock. The gate is not called here, as the caller
// may hold its lock.
func (p *places) wakeNext() {
	if p.free == 0 || len(p.waiting) == 0 {
		return
	}
	g := p.waiting[0]
	p.waiting = p.waiting[1:]
	g.queued = false
	spawnAfter(0, g.log, "permits", g.wake)
}
