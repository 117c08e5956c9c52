package redistest

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// Miniredis returns a client of an empty in-process Redis that ends with the test. Its keys never
// expire, because its clock does not advance.
func Miniredis(t testing.TB) redis.UniversalClient {
	t.Helper()
	client := newClient(miniredis.RunT(t).Addr(), 0)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// EachBackend runs a conformance suite against a real Redis, miniredis and a three-node cluster.
// Each run starts with an empty Redis. Later tests reuse the cluster, so a suite must not change
// its configuration.
func EachBackend(t *testing.T, suite func(t *testing.T, client redis.UniversalClient)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) { suite(t, Start(t).Client(t)) })
	t.Run("miniredis", func(t *testing.T) { suite(t, Miniredis(t)) })
	t.Run("cluster", func(t *testing.T) { suite(t, borrowCluster(t).Client(t)) })
}
