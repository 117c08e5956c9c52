package chaos_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/internal/child"
	"github.com/seekout/icims-export/store/redistest"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // it would log each killed Redis
	goleak.VerifyTestMain(binaryAfter{redistest.Main(m)})
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// binaryAfter removes the program once all tests are done.
type binaryAfter struct{ inner redistest.Runner }

func (b binaryAfter) Run() int {
	code := b.inner.Run()
	if folder != "" {
		_ = os.RemoveAll(folder)
	}
	return code
}

var folder string // of the built program

// program builds icims-export once for all tests of the package.
var program = sync.OnceValues(func() (string, error) {
	var err error
	if folder, err = os.MkdirTemp("", "chaos-binary-"); err != nil {
		return "", err
	}
	return child.Build(context.Background(), folder)
})
