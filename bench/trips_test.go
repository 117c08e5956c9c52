package bench_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/redistest"
)

// away is the additional round-trip time to a Redis on another machine.
const away = 500 * time.Microsecond

// trips counts a client's round trips, commands or pipelines, and adds the latency of a network.
type trips struct {
	atomic.Int64

	longer time.Duration
}

var _ redis.Hook = (*trips)(nil)

// DialHook does nothing.
func (t *trips) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook counts single commands.
func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.count(cmd)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook counts pipelines.
func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.count(cmds[0])
		return next(ctx, cmds)
	}
}

func (t *trips) count(cmd redis.Cmder) {
	if name := cmd.Name(); name == "hello" || name == "client" {
		return // opening a connection, once
	}
	t.Add(1)
	if t.longer > 0 {
		time.Sleep(t.longer)
	}
}

// countedClient returns a client with counted round trips, each delayed by longer.
func countedClient(b *testing.B, server *redistest.Server, longer time.Duration) (redis.UniversalClient, *trips) {
	b.Helper()
	client, count := server.Client(b), &trips{longer: longer}
	client.(interface{ AddHook(hook redis.Hook) }).AddHook(count)
	return client, count
}
