// Package child runs processes for tests and benchmarks, which kill, freeze and measure them.
package child
