// Command icims-export exports candidates into iCIMS: a worker, a producer for
// files, a view of what became of a batch, a simulated iCIMS and a demo.
package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/seekout/icims-export/internal/hangup"
)

// heedHangups are the commands that read files again on SIGHUP.
var heedHangups = []string{"worker", "serve"}

func main() {
	if !slices.ContainsFunc(os.Args[1:], func(arg string) bool { return slices.Contains(heedHangups, arg) }) {
		hangup.Restore()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks to end in good order; a second one ends at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, &process{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		lookupEnv: os.LookupEnv,
		hangups:   hangup.Received(),
	}, os.Args[1:]))
}
