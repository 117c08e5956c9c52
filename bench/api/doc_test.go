// Package api_test measures what handing candidates over by HTTP costs beside handing
// them over from Go, and how much memory that takes.
//
//	make bench
package api_test
