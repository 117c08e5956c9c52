// Package api_test compares the cost and memory of submitting candidates over HTTP and from Go.
//
//	make bench
package api_test
