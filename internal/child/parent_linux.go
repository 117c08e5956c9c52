package child

import "syscall"

// dieWithParent makes the kernel kill the child when the test process ends, even by a panic or a
// timeout.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
