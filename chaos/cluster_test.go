package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

const (
	clusterNodes     = 3
	customersPerNode = 3
	// clusterDown is how long a node's slots are not served.
	clusterDown = 2 * time.Second
	// clusterTimeout is when a replica replaces an unresponsive master.
	clusterTimeout = 3 * time.Second
)

// TestCluster exports for customers with ledgers on all nodes of a cluster. One node is killed and
// restarted with its data. Another one hangs, so that requests to it time out, and is replaced by
// its replica.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	t.Parallel()
	cluster := redistest.StartCluster(t, clusterNodes, redistest.AppendOnly("everysec"),
		redistest.Config("cluster-require-full-coverage", "no"), redistest.Config("cluster-node-timeout", fmt.Sprint(clusterTimeout.Milliseconds())))
	client := openCluster(t, cluster)
	// The first node holds the list of lanes, which all customers share.
	first := nodeOf(t, cluster, client, "ix:lanes")
	second := (first + 1) % clusterNodes
	replica := cluster.AddReplica(t, second)
	m := newMap(t, cluster, client)

	r := newRig(t, rigOptions{
		redisURL: cluster.URL(), client: client, workers: 2, seed: 1, callsPerSecond: 12, chunk: 20, customers: slices.Concat(m.homes...),
	})
	r.sim.setFaults(icimstest.Faults{Error500After: 0.02, SearchLag: time.Second})
	waves := [2]crowd{newWave("a", r.customers, 48, 12), newWave("b", r.customers, 48, 12)}

	receipts := r.sendAll(t, waves[0].deliveries)
	for node, home := range m.homes {
		if keys := keysOn(t, cluster, node, home); keys < waves[0].total/clusterNodes {
			t.Errorf("node %d holds %d keys of its customers' ledgers", node, keys)
		}
	}
	r.awaitStarted(t, receipts, waves[0].total/6)
	cluster.KillNode(first)
	eventually(t, 2*clusterDown, "the customers of other nodes go on", r.progress(receipts, m.without(first)))
	<-time.After(clusterDown)
	cluster.RestartNode(t, first)
	eventually(t, 20*time.Second, "the customers of the restarted node go on", r.progress(receipts, m.homes[first]))

	more := r.sendAll(t, waves[1].deliveries)
	cluster.SignalNode(t, second, syscall.SIGSTOP)
	frozen := time.Now()
	eventually(t, 2*clusterTimeout, "the customers of other nodes go on", r.progress(more, m.without(second)))
	heir := redis.NewClient(&redis.Options{Addr: cluster.Addrs()[replica]})
	t.Cleanup(func() { _ = heir.Close() })
	eventually(t, 30*time.Second, "the replica takes the place of its master", func() error {
		info, err := heir.Info(t.Context(), "replication").Result()
		if err == nil && !strings.Contains(info, "role:master") {
			err = errors.New("it is a replica still")
		}
		return err
	})
	t.Logf("replaced after %s", time.Since(frozen).Round(100*time.Millisecond))
	eventually(t, 30*time.Second, "the customers of the replaced node go on", r.progress(more, m.homes[second]))
	t.Logf("its customers went on after %s", time.Since(frozen).Round(100*time.Millisecond))
	cluster.SignalNode(t, second, syscall.SIGCONT) // it is now a replica, and does not know yet
	r.sim.setFaults(icimstest.Faults{})
	receipts = append(receipts, more...)
	unfinished := r.await(batchesOf(receipts), time.Minute)
	t.Logf("all had ended %s after the node began to hang", time.Since(frozen).Round(time.Second))
	for _, w := range r.workers {
		if !w.Running() {
			t.Errorf("%s ended", w.Name)
		}
	}
	r.stopWorkers()
	r.sim.calls(r.dir)
	check(t, r, crowd{deliveries: slices.Concat(waves[0].deliveries, waves[1].deliveries)}, receipts, circumstances{
		forgetful: m.homes[second], unfinished: unfinished, // a replica may lack its master's last writes
	})
}

// newWave returns a large and a small batch for each customer, to the same job. Some people are in
// both.
func newWave(name string, customers []string, large, small int) crowd {
	var c crowd
	for _, customer := range customers {
		rows := make([]input.Candidate, large+small/2)
		for i := range rows {
			id := fmt.Sprintf("%s%s-%d", name, customer, i)
			rows[i] = input.Candidate{ID: id, FirstName: "Made", LastName: "Up" + id, Email: id + "@example.com"}
		}
		c.deliveries = append(c.deliveries,
			delivery{customer: customer, key: "bulk-" + name + customer, job: firstJob, rows: rows[:large]},
			delivery{customer: customer, key: "few-" + name + customer, job: firstJob, include: true, rows: rows[large+small/2-small:]})
		c.total += large + small
	}
	return c
}

// clusterMap maps customers' keys to nodes.
type clusterMap struct {
	homes [][]string // by node: customers whose ledgers lie there
	// touched are, by customer, the nodes of its ledger and its queues, which have different hash
	// tags.
	touched map[string][]int
}

// newMap finds customers for each node: first one without keys on other nodes, which must not be
// affected when one of them fails.
func newMap(t *testing.T, cluster *redistest.Cluster, client *redis.ClusterClient) clusterMap {
	t.Helper()
	m := clusterMap{homes: make([][]string, clusterNodes), touched: map[string][]int{}}
	for id, missing := 1000, clusterNodes*customersPerNode; missing > 0; id++ {
		customer := strconv.Itoa(id)
		touched := []int{nodeOf(t, cluster, client, "ix:{"+customer+"}:c")}
		for _, queue := range tasks.QueueNames(customer) {
			touched = append(touched, nodeOf(t, cluster, client, "asynq:{"+queue+"}:pending"))
		}
		home := &m.homes[touched[0]]
		aloof := len(slices.Compact(slices.Clone(touched))) == 1
		if len(*home) == 0 && !aloof || len(*home) == customersPerNode {
			continue
		}
		*home = append(*home, customer)
		m.touched[customer] = touched
		missing--
	}
	return m
}

// without returns the customers without keys on a node.
func (m clusterMap) without(node int) (customers []string) {
	for customer, touched := range m.touched {
		if !slices.Contains(touched, node) {
			customers = append(customers, customer)
		}
	}
	return customers
}

// sendAll submits batches, several concurrently.
func (r *rig) sendAll(t *testing.T, deliveries []delivery) []tasks.Receipt {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const atOnce = 3
	receipts, errs, turn := make([]tasks.Receipt, len(deliveries)), make([]error, len(deliveries)), make(chan struct{}, atOnce)
	var sending sync.WaitGroup
	for i, d := range deliveries {
		sending.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			receipts[i], errs[i] = newProducer(r, d).send(ctx)
		})
	}
	sending.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return receipts
}

// endedOf counts the ended exports of the customers' batches.
func (r *rig) endedOf(receipts []tasks.Receipt, customers []string) (ended int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, receipt := range receipts {
		if !slices.Contains(customers, receipt.Batch.Customer()) {
			continue
		}
		b, err := r.ledger.Batches.Get(ctx, receipt.Batch)
		if err != nil {
			return 0, err
		}
		ended += b.Accepted - b.Moving()
	}
	return ended, nil
}

// progress returns a check that succeeds once more exports have ended than at its first call.
func (r *rig) progress(receipts []tasks.Receipt, customers []string) func() error {
	before := -1
	return func() error {
		now, err := r.endedOf(receipts, customers)
		if err != nil {
			return err
		}
		if before < 0 {
			before = now
		}
		if now <= before {
			return fmt.Errorf("still %d", now)
		}
		return nil
	}
}

// openCluster returns a client like the program's, which soon learns the replacement of a hanging
// node.
func openCluster(t *testing.T, cluster *redistest.Cluster) *redis.ClusterClient {
	t.Helper()
	opened, err := config.Settings{RedisURL: config.RedisURL(cluster.URL())}.RedisClient()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	client, ok := opened.(*redis.ClusterClient)
	if !ok {
		t.Fatalf("%s is opened as a %T", cluster.URL(), opened)
	}
	return client
}

func nodeOf(t *testing.T, cluster *redistest.Cluster, client *redis.ClusterClient, key string) int {
	t.Helper()
	node, err := client.MasterForKey(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Index(cluster.Addrs(), node.Options().Addr)
}

// keysOn counts the customers' ledger keys on a node.
func keysOn(t *testing.T, cluster *redistest.Cluster, node int, customers []string) int {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: cluster.Addrs()[node]})
	defer client.Close()
	keys, err := client.Keys(t.Context(), "ix:{*").Result()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, key := range keys {
		if slices.ContainsFunc(customers, func(c string) bool { return strings.HasPrefix(key, "ix:{"+c+"}:") }) {
			n++
		}
	}
	return n
}
