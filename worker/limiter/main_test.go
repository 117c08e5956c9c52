package limiter

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seekout/icims-export/store/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(redistest.Main(m)) }
