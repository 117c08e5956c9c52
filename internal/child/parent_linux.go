package child

import "syscall"

// dieWithParent makes the kernel kill the child when the test process ends in
// whatever way, a panic or a time-out included.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
