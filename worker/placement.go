package worker

import (
	"cmp"
	"hash/fnv"
	"slices"

	"github.com/seekout/icims-export/store"
)

// servedBy is the number of processes that open a lane for a customer, if there are enough: when
// one dies, the other continues immediately.
const servedBy = 2

// placed reports whether a customer is placed on a worker. All workers compute the same result
// from the registry. Rendezvous hashing moves only the affected share of customers when a worker
// starts or stops. Full workers rank after those with free lanes, and workers that cannot reach
// the customer's iCIMS rank last. holds means that the worker already serves the customer, so it
// counts as having room.
func placed(fleet store.Fleet, worker, customer string, holds bool) bool {
	// rank orders workers; the smallest comes first.
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
			return false // a worker that reaches iCIMS serves the customer alone
		}
		first := cmp.Or(cmp.Compare(rank(p), rank(me)), cmp.Compare(weight(worker, customer), weight(p.Worker, customer)), cmp.Compare(p.Worker, worker))
		if first < 0 {
			before++
		}
	}
	return before < servedBy
}

// weight is the rendezvous weight of a worker for a customer.
func weight(worker, customer string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(worker + "/" + customer)) // cannot fail
	// FNV keeps the last characters in the low bits, and customers differ in those: mix the bits.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
