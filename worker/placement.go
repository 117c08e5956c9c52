package worker

import (
	"hash/fnv"
	"slices"

	"github.com/seekout/icims-export/store"
)

// servedBy is in how many processes a customer's lane is open, where there are as
// many: when one dies, another goes on at once.
const servedBy = 2

// placed reports whether a worker is among those that are to serve a customer.
// All workers compute the same from the registry: by rendezvous hashing, so that
// one that comes or goes moves its own share of the customers alone. Those that
// are full come last, as do not for a customer whom they serve already (holds).
func placed(fleet store.Fleet, worker, customer string, holds bool) bool {
	full := func(p store.Peer) bool { return p.Free == 0 && (p.Worker != worker || !holds) }
	able := func(p store.Peer) bool {
		return fleet.Lives(p.Worker) && p.Free >= 0 && !slices.Contains(p.Refuses, customer)
	}
	me, known := fleet.Workers[worker]
	if !known || !able(me) {
		return false
	}
	mine, before := weight(worker, customer), 0
	for _, p := range fleet.Workers {
		if p.Worker == worker || !able(p) {
			continue
		}
		theirs := weight(p.Worker, customer)
		switch {
		case full(p) != full(me):
			if full(me) {
				before++
			}
		case theirs > mine || theirs == mine && p.Worker < worker:
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
