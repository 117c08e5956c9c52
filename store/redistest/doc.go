// Package redistest gives tests real Redis servers as child processes: a
// server of a test's own (Start), a logical database of one that the package's
// tests share (Shared), a cluster (StartCluster), and miniredis for comparison
// (Miniredis). Everything listens on loopback and ends with the test.
package redistest
