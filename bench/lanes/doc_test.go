// Package lanes_test measures what lanes and limits promise: that a customer
// gets its whole rate and not one call more, that nobody waits for a neighbour,
// and what that costs. The program runs as several worker processes beside a
// simulated iCIMS and a redis-server, all children of the test, on loopback.
//
//	make bench-lanes
//	make bench-lanes ARGS="-bench Kill -rounds 1"
package lanes_test
