// Package figures holds what benchmarks have in common: figures that were
// measured several times, goals they are held against, and the table of both.
package figures
