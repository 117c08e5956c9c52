// Command icims-export exports candidates into iCIMS: a worker, a producer for
// files, a view of what became of a batch, a simulated iCIMS and a demo.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks to end in good order; a second one ends at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, &process{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		lookupEnv: os.LookupEnv,
		hangups: func() (<-chan os.Signal, func()) {
			received := make(chan os.Signal, 1)
			signal.Notify(received, syscall.SIGHUP)
			return received, func() { signal.Stop(received) }
		},
	}, os.Args[1:]))
}
