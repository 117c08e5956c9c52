package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// databases is how many tests can use the shared server at the same time.
const databases = 256

// shared is the server shared by the tests of one package.
var shared struct {
	sync.Mutex
	installed bool
	process   *process
	err       error
	free      []int
}

// Shared returns an empty logical database of a server that is started once per package, so that
// parallel tests do not see each other's keys. Databases do not separate pub/sub channels: a test
// that publishes needs its own server. TestMain must pass its M through Main.
func Shared(t testing.TB) *Server {
	t.Helper()
	s, err := acquire()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := release(s); err != nil {
			t.Errorf("empty database %d of the shared redis-server: %v", s.db, err)
		}
	})
	return s
}

func acquire() (*Server, error) {
	shared.Lock()
	defer shared.Unlock()
	if !shared.installed {
		return nil, errors.New("redistest.Shared needs a TestMain with goleak.VerifyTestMain(redistest.Main(m)) or os.Exit(redistest.Main(m).Run())")
	}
	if shared.err != nil {
		return nil, shared.err
	}
	if shared.process == nil {
		shared.process, shared.err = launch(settings())
		if shared.err != nil {
			return nil, shared.err
		}
		for db := databases - 1; db >= 0; db-- {
			shared.free = append(shared.free, db)
		}
	}
	last := len(shared.free) - 1
	if last < 0 {
		return nil, fmt.Errorf("all %d databases of the shared redis-server are in use: give this test one of its own with redistest.Start", databases)
	}
	s := &Server{process: shared.process, db: shared.free[last], shared: true}
	shared.free = shared.free[:last]
	return s, nil
}

// release empties the database for the next test. A database that cannot be emptied is not reused.
func release(s *Server) error {
	client := newClient(s.Addr(), s.db)
	defer client.Close()
	if err := client.FlushDB(context.Background()).Err(); err != nil {
		return err
	}
	shared.Lock()
	defer shared.Unlock()
	shared.free = append(shared.free, s.db)
	return nil
}

// Runner is what TestMain runs: *testing.M, or the result of Main.
type Runner interface{ Run() int }

// Main wraps a package's tests so that the shared server and clusters, if any were started,
// are stopped after them:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(redistest.Main(m)) }
func Main(m Runner) Runner {
	shared.Lock()
	defer shared.Unlock()
	shared.installed = true
	return runner{m}
}

type runner struct{ inner Runner }

func (r runner) Run() int {
	code := r.inner.Run()
	if err := stopClusters(); err != nil {
		fmt.Fprintln(os.Stderr, "stop clusters:", err)
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.process != nil {
		if err := shared.process.remove(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the shared redis-server:", err)
		}
		shared.process, shared.free = nil, nil
	}
	return code
}
