// Command icims-export exports candidates into iCIMS. It runs the worker, API and console, submits
// files, manages exports, and includes a simulator and a demo.
package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/seekout/icims-export/internal/hangup"
)

// reloadOnHangup are the commands that reload files on SIGHUP.
var reloadOnHangup = []string{"worker", "serve"}

func main() {
	if !slices.ContainsFunc(os.Args[1:], func(arg string) bool { return slices.Contains(reloadOnHangup, arg) }) {
		hangup.Restore()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal stops the command in an orderly way; a second one ends it immediately.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, &process{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		lookupEnv: os.LookupEnv,
		hangups:   hangup.Received(),
	}, os.Args[1:]))
}
