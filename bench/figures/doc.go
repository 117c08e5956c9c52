// Package figures contains what benchmarks share: repeated measurements, goals, and a table of
// both.
package figures
