package redistest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// clusters holds the clusters that no test is using. Starting a cluster takes two seconds.
var clusters struct {
	sync.Mutex
	free []*Cluster
}

// borrowCluster returns an empty three-node cluster that no other test uses. Main stops the
// clusters after the package's tests; without Main, the cluster belongs to the test.
func borrowCluster(t testing.TB) *Cluster {
	t.Helper()
	shared.Lock()
	kept := shared.installed
	shared.Unlock()
	if !kept {
		return StartCluster(t, 3)
	}
	c, err := takeCluster()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.returnToPool(); err != nil {
			t.Errorf("empty a cluster: %v", err)
		}
	})
	return c
}

func takeCluster() (*Cluster, error) {
	clusters.Lock()
	last := len(clusters.free) - 1
	if last < 0 {
		clusters.Unlock()
		return newCluster(3)
	}
	c := clusters.free[last]
	clusters.free = clusters.free[:last]
	clusters.Unlock()
	return c, nil
}

// returnToPool empties the cluster for the next test. If that fails, it stops the cluster.
func (c *Cluster) returnToPool() error {
	ctx := context.Background()
	for _, p := range c.nodes {
		client := newClient(p.addr(), 0)
		_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.FlushAll(ctx)
			p.ScriptFlush(ctx)
			return nil
		})
		_ = client.Close()
		if err != nil {
			return errors.Join(err, c.remove())
		}
	}
	clusters.Lock()
	defer clusters.Unlock()
	clusters.free = append(clusters.free, c)
	return nil
}

// stopClusters stops the clusters in the pool.
func stopClusters() error {
	clusters.Lock()
	defer clusters.Unlock()
	errs := make([]error, 0, len(clusters.free))
	for _, c := range clusters.free {
		errs = append(errs, c.remove())
	}
	clusters.free = nil
	return errors.Join(errs...)
}
