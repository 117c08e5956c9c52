// Package chaos runs the real programs against a real Redis and a simulated
// iCIMS, breaks all of them while they work, and counts afterwards: nothing may
// be lost and nothing doubled. docs/reliability.md tells what it has found.
//
//	make chaos                       # 10,000 candidates, at most ten minutes
//	make chaos CHAOS_CANDIDATES=500  # a smaller run
//	make chaos CHAOS_SEED=42         # the same candidates and the same schedule of faults
package chaos
