package redistest

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Switch connects clients to one server, and to another one after a failover, like Sentinel.
type Switch struct {
	mu   sync.Mutex
	addr string
}

// NewSwitch returns a switch that connects to a server.
func NewSwitch(s *Server) *Switch { return &Switch{addr: s.Addr()} }

// To connects new connections to another server.
func (s *Switch) To(server *Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = server.Addr()
}

// Client returns a client that follows the switch. It is closed when the test ends.
func (s *Switch) Client(t testing.TB) redis.UniversalClient {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			s.mu.Lock()
			addr := s.addr
			s.mu.Unlock()
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		},
		ContextTimeoutEnabled: true, DialerRetries: 2,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// HostPort returns the server's address in two parts.
func HostPort(t testing.TB, s *Server) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}
