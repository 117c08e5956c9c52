// Package redistest provides real Redis servers as child processes of tests: a server for one test
// (Start), a logical database of a server shared by the package's tests (Shared), a cluster
// (StartCluster), and miniredis for comparison (Miniredis). All listen on loopback and end with the
// test.
package redistest
