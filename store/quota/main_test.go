package quota_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/seekout/icims-export/store/redistest"
)

func TestMain(m *testing.M) {
	// Each check takes about a second. -rapid.checks asks for more.
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(redistest.Main(m))
}
