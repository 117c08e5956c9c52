package bench_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/store/redistest"
)

var (
	rounds   = flag.Int("rounds", 7, "runs of each side of a comparison")
	exports  = flag.Int("exports", 3000, "candidates a run")
	enqueued = flag.Int("enqueued", 10_000, "candidates a run of the producer")
	queued   = flag.Int("queued", 20_000, "queued exports whose memory is measured")
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(simulatorEnv); kind != "" {
		if err := serveSimulator(kind, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "simulator:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(tableAfter{redistest.Main(m)})
}

// tableAfter prints the results after all benchmarks.
type tableAfter struct{ inner redistest.Runner }

func (r tableAfter) Run() int {
	code := r.inner.Run()
	if !results.Empty() {
		fmt.Printf("\n%s, %d CPUs, %s %s/%s, Redis %s; median (lowest to highest) of %d alternating runs\n\n",
			figures.Processor(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, results.redis, *rounds)
		if err := results.Write(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}
