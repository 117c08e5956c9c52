// Package hangup receives SIGHUP as early in a process's life as Go allows. Long-running commands
// reload their files on SIGHUP; without a receiver it would end the process. The package imports
// nothing else of this module, so that Go initializes it among the first.
package hangup

import (
	"os"
	"os/signal"
	"syscall"
)

var received = listen()

func listen() chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}

// Received delivers SIGHUP, including one from before the call.
func Received() <-chan os.Signal { return received }

// Restore makes SIGHUP end the process again, for commands that have nothing to reload. A SIGHUP
// from before the call takes effect now.
func Restore() {
	signal.Reset(syscall.SIGHUP)
	select {
	case <-received:
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Signal(syscall.SIGHUP)
		}
	default:
	}
}
