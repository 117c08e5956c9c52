package scaling_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/store/redistest"
)

// results are printed at the end.
var results figures.Table

func TestMain(m *testing.M) { goleak.VerifyTestMain(tableAfter{redistest.Main(m)}) }

type tableAfter struct{ inner redistest.Runner }

func (r tableAfter) Run() int {
	code := r.inner.Run()
	if !results.Empty() {
		fmt.Printf("\n%s, %d CPUs, %s %s/%s\n\n", figures.Processor(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		if err := results.Write(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}
