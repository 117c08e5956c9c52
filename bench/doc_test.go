// Package bench_test measures the cost of the ledger: throughput, calls, Redis round trips and
// Redis memory, compared to the same work with asynq alone.
//
// Both sides run in turns, and each figure is a median. Machines are noisy; compare only ratios
// between machines.
//
//	make bench
//	make bench ARGS="-rounds 3 -exports 1000"
package bench_test
