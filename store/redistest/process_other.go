//go:build !linux

package redistest

import "syscall"

// dieWithParent has no counterpart outside Linux: a child outlives a test
// process that is killed before its clean-up.
func dieWithParent() *syscall.SysProcAttr { return nil }
