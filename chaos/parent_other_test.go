//go:build !linux

package chaos_test

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
