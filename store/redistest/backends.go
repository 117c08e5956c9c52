package redistest

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// Miniredis returns a client of an empty in-process Redis that ends with the
// test. Its keys never expire: time does not move there.
func Miniredis(t testing.TB) redis.UniversalClient {
	t.Helper()
	client := newClient(miniredis.RunT(t).Addr(), 0)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// EachBackend runs a conformance suite against a real Redis, miniredis and a
// cluster of three nodes. Each run starts with an empty Redis. The cluster is used again by
// the next test, so a suite must not change how it is configured.
func EachBackend(t *testing.T, suite func(t *testing.T, client redis.UniversalClient)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) { suite(t, Start(t).Client(t)) })
	t.Run("miniredis", func(t *testing.T) { suite(t, Miniredis(t)) })
	t.Run("cluster", func(t *testing.T) { suite(t, borrowCluster(t).Client(t)) })
}
