// Package chaos runs the real programs with a real Redis and a simulated iCIMS, and breaks all of
// them while they work. Nothing may be lost or duplicated. docs/reliability.md lists the results.
//
//	make chaos                       # 10,000 candidates, at most ten minutes
//	make chaos CHAOS_CANDIDATES=500  # a smaller run
//	make chaos CHAOS_SEED=42         # the same candidates and the same schedule of faults
package chaos
