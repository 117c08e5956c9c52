// Package child runs processes for tests and benchmarks: the program, the
// simulator and whatever else they kill, freeze and count.
package child
