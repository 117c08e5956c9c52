package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

const clusterSlots = 16_384

// Cluster is a Redis Cluster. The masters come first among its nodes. Only AddReplica adds
// replicas.
type Cluster struct {
	nodes    []*process
	settings []string
}

// StartCluster runs a cluster of masters for this test and returns once every node reports that all
// slots are served. Cluster mode only has database 0: tests that share a cluster must use different
// keys.
func StartCluster(t testing.TB, nodes int, opts ...Option) *Cluster {
	t.Helper()
	c, err := newCluster(nodes, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.remove(); err != nil {
			t.Errorf("remove a cluster node's folder: %v", err)
		}
	})
	return c
}

func newCluster(nodes int, opts ...Option) (*Cluster, error) {
	if nodes < 1 {
		return nil, fmt.Errorf("a cluster of %d nodes cannot be started", nodes)
	}
	c := &Cluster{nodes: make([]*process, nodes), settings: []string{
		`save ""`,
		"maxmemory-policy noeviction",
		"cluster-enabled yes",
		"cluster-config-file nodes.conf",
		// Long enough that a busy machine causes no failover.
		"cluster-node-timeout 15000",
		"repl-diskless-sync-delay 0",
	}}
	for _, opt := range opts {
		opt(&c.settings)
	}
	err := c.launch()
	if err == nil {
		err = c.join()
	}
	if err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

// remove kills the nodes and deletes their directories.
func (c *Cluster) remove() error {
	var errs []error
	for _, p := range c.nodes {
		if p != nil {
			errs = append(errs, p.remove())
		}
	}
	return errors.Join(errs...)
}

// Addrs returns the addresses of the nodes.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.nodes))
	for i, p := range c.nodes {
		addrs[i] = p.addr()
	}
	return addrs
}

// URL returns the cluster's address for the setting ICIMS_EXPORT_REDIS_URL.
func (c *Cluster) URL() string { return "redis+cluster://" + strings.Join(c.Addrs(), ",") }

// Client returns a new client, closed when the test ends.
func (c *Cluster) Client(t testing.TB) *redis.ClusterClient {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// KillNode kills one node with SIGKILL. Its slots are not served until it is restarted or a replica
// takes over.
func (c *Cluster) KillNode(node int) { c.nodes[node].kill() }

// SignalNode sends a signal to a node, for example to freeze it.
func (c *Cluster) SignalNode(t testing.TB, node int, signal os.Signal) {
	t.Helper()
	if err := c.nodes[node].cmd.Process.Signal(signal); err != nil {
		t.Fatalf("send %s to cluster node %d: %v", signal, node, err)
	}
}

// RestartNode starts a node with the same address and directory and returns once it has loaded its
// data. Without AppendOnly it only keeps its place in the cluster.
func (c *Cluster) RestartNode(t testing.TB, node int) {
	t.Helper()
	c.nodes[node].kill()
	if err := c.nodes[node].start(); err != nil {
		t.Fatal(err)
	}
}

// AddReplica adds a replica to a master and returns the number of the new node, once it has the
// master's data. A replica replaces a dead master after the cluster-node-timeout (15 s unless
// changed with Config).
func (c *Cluster) AddReplica(t testing.TB, master int) int {
	t.Helper()
	p, err := launch(c.settings)
	if err != nil {
		t.Fatal(err)
	}
	c.nodes = append(c.nodes, p)
	if err := c.follow(p, c.nodes[master]); err != nil {
		t.Fatalf("replica of cluster node %d: %v", master, err)
	}
	return len(c.nodes) - 1
}

func (c *Cluster) follow(p, master *process) error {
	ctx := context.Background()
	client, leader := newClient(p.addr(), 0), newClient(master.addr(), 0)
	defer client.Close()
	defer leader.Close()
	if err := client.ClusterMeet(ctx, loopback, strconv.Itoa(master.port)).Err(); err != nil {
		return fmt.Errorf("meet the cluster: %w", err)
	}
	for _, node := range c.nodes {
		if err := node.waitCluster(len(c.nodes)); err != nil {
			return err
		}
	}
	id, err := leader.ClusterMyID(ctx).Result()
	if err == nil {
		err = client.ClusterReplicate(ctx, id).Err()
	}
	if err != nil {
		return fmt.Errorf("replicate: %w", err)
	}
	return poll(func(ctx context.Context) error {
		info, err := client.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(info, "master_link_status:up") {
			err = errors.New("waiting for the master's data")
		}
		return err
	})
}

func (c *Cluster) launch() error {
	errs := make([]error, len(c.nodes))
	var wg sync.WaitGroup
	for i := range c.nodes {
		wg.Go(func() {
			c.nodes[i], errs[i] = launch(c.settings)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// join distributes the slots, connects the nodes and waits for the cluster.
func (c *Cluster) join() error {
	ctx := context.Background()
	share := clusterSlots / len(c.nodes)
	for i, p := range c.nodes {
		from, to := i*share, (i+1)*share-1
		if i == len(c.nodes)-1 {
			to = clusterSlots - 1
		}
		if err := c.introduce(ctx, p, i, from, to); err != nil {
			return fmt.Errorf("cluster node %d: %w", i, err)
		}
	}
	for i, p := range c.nodes {
		if err := p.waitCluster(len(c.nodes)); err != nil {
			return fmt.Errorf("cluster node %d: %w", i, err)
		}
	}
	return nil
}

func (c *Cluster) introduce(ctx context.Context, p *process, index, from, to int) error {
	client := newClient(p.addr(), 0)
	defer client.Close()
	if err := client.ClusterAddSlotsRange(ctx, from, to).Err(); err != nil {
		return fmt.Errorf("add slots: %w", err)
	}
	// Different initial epochs save the nodes a round of conflict resolution over slots.
	if err := client.Do(ctx, "cluster", "set-config-epoch", index+1).Err(); err != nil {
		return fmt.Errorf("set epoch: %w", err)
	}
	if index == 0 {
		return nil
	}
	first := c.nodes[0]
	if err := client.ClusterMeet(ctx, loopback, strconv.Itoa(first.port)).Err(); err != nil {
		return fmt.Errorf("meet the first node: %w", err)
	}
	return nil
}

// waitCluster waits until the node knows all others and serves requests.
func (p *process) waitCluster(nodes int) error {
	client := newClient(p.addr(), 0)
	defer client.Close()
	want := []string{"cluster_state:ok", fmt.Sprintf("cluster_slots_ok:%d", clusterSlots), fmt.Sprintf("cluster_known_nodes:%d", nodes)}
	return poll(func(ctx context.Context) error {
		info, err := client.ClusterInfo(ctx).Result()
		if err != nil {
			return err
		}
		for _, line := range want {
			if !strings.Contains(info, line+"\r\n") {
				return fmt.Errorf("waiting for %s in:\n%s", line, info)
			}
		}
		return nil
	})
}
