//go:build !linux

package redistest

import "syscall"

// dieWithParent has no effect outside Linux: a child survives a test process that is killed before
// its cleanup.
func dieWithParent() *syscall.SysProcAttr { return nil }
