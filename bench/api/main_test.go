package api_test

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
	rounds     = flag.Int("rounds", 3, "runs of each side of a comparison")
	candidates = flag.Int("uploaded", 100_000, "candidates an upload")
)

// results are printed at the end.
var results figures.Table

func TestMain(m *testing.M) { goleak.VerifyTestMain(tableAfter{redistest.Main(m)}) }

type tableAfter struct{ inner redistest.Runner }

func (r tableAfter) Run() int {
	code := r.inner.Run()
	if !results.Empty() {
		fmt.Printf("\n%s, %d CPUs, %s %s/%s; median (lowest to highest) of %d alternating runs with %d candidates each\n\n",
			figures.Processor(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, *rounds, *candidates)
		if err := results.Write(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}
