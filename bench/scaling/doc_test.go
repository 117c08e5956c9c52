// Package scaling_test measures what docs/scaling.md calculates with: Redis
// commands and processor time per export, what an open lane costs while nothing
// happens in it, and what ended exports leave behind in Redis.
//
//	make bench-scaling
package scaling_test
