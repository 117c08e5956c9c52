// Package scaling_test measures the inputs of docs/scaling.md: Redis commands and processor time
// per export, the cost of an idle open lane, and the Redis memory of ended exports.
//
//	make bench-scaling
package scaling_test
