package api

import (
	"fmt"
	"testing"
)

// fill enters requests until the visitor's share is full, and returns how many entered and why the
// next did not.
func (s *pageShares) fill(v visitor) (entered int, why *fullShare) {
	for {
		if why = s.enter(v); why != nil {
			return entered, why
		}
		entered++
	}
}

func TestNoVisitorTakesAllPageSlots(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ slots, key, address, strangers int }{
		{4, 2, 2, 2}, {8, 4, 4, 4}, {16, 8, 8, 8}, {40, 10, 8, 20}, {80, 20, 8, 40}, {1000, 250, 100, 500},
	} {
		t.Run(fmt.Sprintf("of %d", c.slots), func(t *testing.T) {
			t.Parallel()
			s := newPageShares(c.slots)
			key := visitor{name: "abcdefgh234567ij"}
			if n, why := s.fill(key); n != c.key || why != keyFull {
				t.Errorf("a key has %d, then %v", n, why)
			}
			first := visitor{stranger: true, name: "192.0.2.0"}
			n, why := s.fill(first)
			if n != c.address || n < c.strangers && why != addressFull {
				t.Errorf("an address has %d, then %v", n, why)
			}
			for i := range c.slots {
				more, _ := s.fill(visitor{stranger: true, name: fmt.Sprintf("198.51.100.%d", i)})
				n += more
			}
			if n != c.strangers {
				t.Errorf("all addresses have %d", n)
			}
			if why := s.enter(visitor{stranger: true, name: "203.0.113.1"}); why != strangersFull {
				t.Errorf("one more: %v", why)
			}
			if why := s.enter(visitor{name: "another"}); why != nil {
				t.Errorf("who is logged in: %v", why)
			}
			s.leave(first)
			if why := s.enter(visitor{stranger: true, name: "203.0.113.1"}); why != nil {
				t.Errorf("once a place is free: %v", why)
			}
		})
	}
}
