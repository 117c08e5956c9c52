package quota_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/seekout/icims-export/store/redistest"
)

func TestMain(m *testing.M) {
	// Each check takes half a second, and a failing one is shrunk for a while. Use -rapid.checks
	// for more.
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	if err := flag.Set("rapid.shrinktime", "15s"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(redistest.Main(m))
}
