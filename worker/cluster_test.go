package worker_test

import (
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// While a cluster node is unreachable, a worker starts, opens lanes and exports for all customers
// without keys on that node.
func TestLostNodeAffectsOnlyItsCustomers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		strike func(t *testing.T, cluster *redistest.Cluster, node int)
	}{
		{"dead node", func(_ *testing.T, cluster *redistest.Cluster, node int) { cluster.KillNode(node) }},
		{"hanging node", func(t *testing.T, cluster *redistest.Cluster, node int) {
			cluster.SignalNode(t, node, syscall.SIGSTOP)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t, 3, redistest.Config("cluster-require-full-coverage", "no"))
			client := cluster.Client(t)
			// A node without the shared keys that new work needs.
			victim := nodeOf(t, cluster, client, "asynq:cancel")
			for _, shared := range []string{"ix:lanes", "ix:workers", "ix:customers", "asynq:queues"} {
				if nodeOf(t, cluster, client, shared) == victim {
					t.Fatalf("%s is on the node to be stopped", shared)
				}
			}
			struck := customersOnOneNode(t, cluster, client, victim)
			others := slices.Concat(customersOnOneNode(t, cluster, client, (victim+1)%3)[:2], customersOnOneNode(t, cluster, client, (victim+2)%3)[:2])

			sim := icimstest.New(calm())
			server := icimstest.NewServer(sim)
			t.Cleanup(server.Close)
			keys, err := store.NewKeyset()
			if err != nil {
				t.Fatal(err)
			}
			ledger := store.NewLedger(client, keys)
			r := &rig{t: t, sim: sim, server: server, redis: client, ledger: ledger, producer: tasks.NewClient(client, ledger), logs: &testrig.Log{}}
			var connections []store.Connection
			for _, c := range slices.Concat(struck, others) {
				tenant := icimstest.DemoTenant(c, "export-user", password)
				sim.AddTenant(tenant)
				connections = append(connections, store.Connection{Customer: c, Username: "export-user", Password: password, PortalURLs: server.PortalURL(c, 1), Profile: testrig.Verified()}.WithDefaults())
			}
			send := func(customer, candidate string) store.BatchID {
				receipt, err := r.producer.Enqueue(t.Context(), input.Batch{
					Customer: customer, Target: input.Prospects,
					Candidates: input.Candidates(input.Candidate{ID: candidate, FirstName: "Made", LastName: "Up", Email: candidate + "@example.com"}),
				})
				if err != nil {
					t.Fatal(err)
				}
				return receipt.Batch
			}
			for _, c := range struck {
				send(c, "a")
			}
			var first []store.BatchID
			for _, c := range others[:2] {
				first = append(first, send(c, "a"))
			}
			tc.strike(t, cluster, victim)

			hosts, err := icims.ParseHostPolicy(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			w := worker.New(client, ledger, worker.DefaultSettings(), hosts, zerolog.New(r.logs).With().Timestamp().Logger())
			w.SetConnections(connections)
			if err := w.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(w.Stop)
			ended := func(batches ...store.BatchID) func() bool {
				return func() bool {
					return !slices.ContainsFunc(batches, func(id store.BatchID) bool {
						b, err := ledger.Batches.Get(t.Context(), id)
						return err != nil || b.Created != 1
					})
				}
			}
			r.eventually("waiting exports are done", ended(first...))
			t.Logf("after %s", time.Since(began).Round(time.Millisecond))
			began = time.Now()
			r.eventually("new exports are done", ended(send(others[2], "b"), send(others[3], "b"), send(others[0], "b")))
			t.Logf("after %s", time.Since(began).Round(time.Millisecond))
		})
	}
}

func nodeOf(t *testing.T, cluster *redistest.Cluster, client *redis.ClusterClient, key string) int {
	t.Helper()
	node, err := client.MasterForKey(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Index(cluster.Addrs(), node.Options().Addr)
}

// customersOnOneNode returns three customers with all their keys on one node.
func customersOnOneNode(t *testing.T, cluster *redistest.Cluster, client *redis.ClusterClient, node int) (customers []string) {
	t.Helper()
	for id := 1000; len(customers) < 3; id++ {
		c := strconv.Itoa(id)
		elsewhere := slices.ContainsFunc([]string{"ix:{" + c + "}:c", "asynq:{" + tasks.QueueName(c, store.NormalQueue) + "}:pending", "asynq:{" + tasks.QueueName(c, store.ExpressQueue) + "}:pending", "asynq:{" + tasks.QueueName(c, store.LargeQueue) + "}:pending"}, func(key string) bool {
			return nodeOf(t, cluster, client, key) != node
		})
		if !elsewhere {
			customers = append(customers, c)
		}
	}
	return customers
}
