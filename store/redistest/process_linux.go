package redistest

import "syscall"

// dieWithParent makes the kernel kill the child when the test process ends, including by a panic or
// timeout.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
