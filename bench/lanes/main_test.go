package lanes_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/internal/child"
	"github.com/seekout/icims-export/store/redistest"
)

// Sizes of the runs. The defaults are those of the published figures.
var (
	rounds    = flag.Int("rounds", 5, "how often each figure is measured")
	processes = flag.Int("processes", 4, "worker processes")
	rated     = flag.Int("rated", 20_000, "exports of the customer whose rate is measured")
	fresh     = flag.Int("fresh", 2_000, "new candidates of a batch whose calls are counted")
	crowd     = flag.Int("crowd", 100_000, "waiting exports of the neighbor")
	colleague = flag.Int("colleague", 20_000, "exports that a colleague of the same customer has waiting")
	many      = flag.Int("many", 1_000_000, "exports waiting in the long queue")
	few       = flag.Int("few", 10_000, "exports waiting in the short queue")
	idle      = flag.Int("idle", 1000, "customers without work")
	samples   = flag.Int("samples", 60, "idle customers in turn that get their first export, a round")
	busy      = flag.Int("busy", 200, "customers with full queues")
	window    = flag.Duration("window", defaultWindow, "time over which shares and commands are counted, a round")
	keep      = flag.Bool("keep", false, "keep the logs of the processes")
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // it would log each connection broken by a killed worker
	goleak.VerifyTestMain(tableAfter{redistest.Main(m)})
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// table collects the results.
var table figures.Table

// tableAfter prints the table after all benchmarks.
type tableAfter struct{ inner redistest.Runner }

func (r tableAfter) Run() int {
	code := r.inner.Run()
	if folder != "" {
		_ = os.RemoveAll(folder)
	}
	if !table.Empty() {
		fmt.Printf("\n%s, %d CPUs, %s %s/%s; median (lowest to highest) of %d rounds\n\n",
			figures.Processor(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, *rounds)
		if err := table.Write(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

var folder string // of the built program

// program builds icims-export once for all benchmarks.
var program = sync.OnceValues(func() (string, error) {
	var err error
	if folder, err = os.MkdirTemp("", "bench-lanes-binary-"); err != nil {
		return "", fmt.Errorf("folder of the program: %w", err)
	}
	return child.Build(context.Background(), folder)
})
