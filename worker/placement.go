package worker

import (
	"cmp"
	"hash/fnv"
	"slices"

	"github.com/seekout/icims-export/store"
)

// servedBy is in how many processes a customer's lane is open, where there are as
// many: when one dies, another goes on at once.
const servedBy = 2

// placed reports whether a worker is among those that are to serve a customer.
// All workers compute the same from the registry: by rendezvous hashing, so that
// one that comes or goes moves its own share of the customers alone. Those that do not reach
// the customer's iCIMS come last, and before them those that are full; but one that serves
// the customer already (holds) counts as one with room.
func placed(fleet store.Fleet, worker, customer string, holds bool) bool {
	// rank orders workers: the smaller comes first.
	rank := func(p store.Peer) int {
		switch {
		case slices.Contains(p.Unreachable, customer):
			return 2
		case p.Free == 0 && (p.Worker != worker || !holds):
			return 1
		}
		return 0
	}
	able := func(p store.Peer) bool {
		return fleet.Lives(p.Worker) && p.Free >= 0 && !slices.Contains(p.Refuses, customer)
	}
	me, known := fleet.Workers[worker]
	if !known || !able(me) {
		return false
	}
	before := 0
	for _, p := range fleet.Workers {
		if p.Worker == worker || !able(p) {
			continue
		}
		if rank(me) == 2 && rank(p) < 2 {
			return false // whoever reaches iCIMS serves the customer alone
		}
		first := cmp.Or(cmp.Compare(rank(p), rank(me)), cmp.Compare(weight(worker, customer), weight(p.Worker, customer)), cmp.Compare(p.Worker, worker))
		if first < 0 {
			before++
		}
	}
	return before < servedBy
}

// weight is how much a worker is for a customer.
func weight(worker, customer string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(worker + "/" + customer)) // cannot fail
	// FNV alone leaves the last characters in the low bits, and customers differ in
	// those.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
