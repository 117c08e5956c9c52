// Package bench_test measures what the ledger costs: throughput, calls, Redis
// round trips and Redis memory, each beside the same work done by asynq alone.
//
// The two sides of a comparison take turns and each figure is a median, since
// machines are noisy: ratios are what can be compared between machines.
//
//	make bench
//	make bench ARGS="-rounds 3 -exports 1000"
package bench_test
