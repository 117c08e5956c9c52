// Package lanes_test measures what lanes and limits promise: a customer gets its full rate and not
// one call more, no customer waits for another, and the cost of both. Several worker processes, a
// simulated iCIMS and a redis-server run as children of the test, on loopback.
//
//	make bench-lanes
//	make bench-lanes ARGS="-bench Kill -rounds 1"
package lanes_test
