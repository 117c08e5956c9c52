package redistest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Server is a running redis-server with one of its logical databases.
type Server struct {
	process *process
	db      int
	shared  bool
}

// Option configures how a server is started.
type Option func(*[]string)

// Config sets one line of redis.conf, for example Config("maxmemory", "8mb").
func Config(name, value string) Option {
	return func(s *[]string) { *s = append(*s, name+" "+value) }
}

// AppendOnly makes the server keep an append-only file, so that its data survives Kill and Restart.
// fsync is "always", "everysec" or "no".
func AppendOnly(fsync string) Option {
	return func(s *[]string) { *s = append(*s, "appendonly yes", "appendfsync "+fsync) }
}

// Start runs a redis-server for this test. It never evicts keys and, without AppendOnly, loses its
// data on restart. The test fails on a machine without redis-server.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	p, err := launch(settings(opts...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.remove(); err != nil {
			t.Errorf("remove redis-server's folder: %v", err)
		}
	})
	return &Server{process: p}
}

func settings(opts ...Option) []string {
	lines := []string{`save ""`, "maxmemory-policy noeviction", fmt.Sprintf("databases %d", databases)}
	for _, opt := range opts {
		opt(&lines)
	}
	return lines
}

// Addr returns the server's host and port.
func (s *Server) Addr() string { return s.process.addr() }

// DB returns the number of the logical database used by URL and Client.
func (s *Server) DB() int { return s.db }

// URL returns the server's address with the database, for redis.ParseURL.
func (s *Server) URL() string { return fmt.Sprintf("redis://%s/%d", s.Addr(), s.db) }

// Client returns a new client, closed when the test ends. All clients of a Server see the same
// data.
func (s *Server) Client(t testing.TB) redis.UniversalClient {
	t.Helper()
	client := newClient(s.Addr(), s.db)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// Kill ends the server with SIGKILL, like a crash.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.refuseShared(t)
	s.process.kill()
}

// Restart starts the server again with the same address and directory, and kills it first if it
// runs. It returns once the server has loaded its data.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.refuseShared(t)
	s.process.kill()
	if err := s.process.start(); err != nil {
		t.Fatal(err)
	}
}

// Dump returns the content of all databases of this server; for a shared server, of this test's
// database.
func (s *Server) Dump(t testing.TB) Snapshot {
	t.Helper()
	if s.shared {
		return Dump(t, s.Client(t))
	}
	client := newClient(s.Addr(), 0)
	defer client.Close()
	var all Snapshot
	for db := range databases {
		size, err := sizeOf(client, db)
		if err != nil {
			t.Fatalf("size of database %d: %v", db, err)
		}
		if size > 0 {
			one := newClient(s.Addr(), db)
			all = append(all, Dump(t, one)...)
			_ = one.Close()
		}
	}
	return all
}

func sizeOf(client *redis.Client, db int) (int64, error) {
	ctx := context.Background()
	conn := client.Conn()
	defer conn.Close()
	if err := conn.Select(ctx, db).Err(); err != nil {
		return 0, err
	}
	defer conn.Select(ctx, 0)
	return conn.DBSize(ctx).Result()
}

func (s *Server) refuseShared(t testing.TB) {
	t.Helper()
	if s.shared {
		t.Fatal("this server is shared by the tests of the package: take one of your own with redistest.Start")
	}
}

// Backup returns a copy of the server's data, as an operator would make it. Later writes are not in
// it.
func (s *Server) Backup(t testing.TB) []byte {
	t.Helper()
	s.refuseShared(t)
	client := newClient(s.Addr(), s.db)
	defer client.Close()
	if err := client.Save(context.Background()).Err(); err != nil {
		t.Fatalf("save a copy: %v", err)
	}
	copied, err := os.ReadFile(s.process.dumpFile())
	if err != nil {
		t.Fatal(err)
	}
	return copied
}

// Restore restarts the server with a copy made by Backup. The server must not be AppendOnly, or
// Redis would load that file instead.
func (s *Server) Restore(t testing.TB, copied []byte) {
	t.Helper()
	s.Kill(t)
	if err := os.WriteFile(s.process.dumpFile(), copied, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
}
