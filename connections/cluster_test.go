package connections_test

import (
	"context"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// TestALostNodeHidesOnlyItsOwnConnections: while a node of a cluster is unreachable, connections on
// the other nodes are still read and applied. Those on the node keep their last known state.
func TestALostNodeHidesOnlyItsOwnConnections(t *testing.T) {
	const patience = 500 * time.Millisecond
	for _, tc := range []struct {
		name         string
		strike, heal func(t *testing.T, cluster *redistest.Cluster, node int)
	}{
		{
			"when it is dead",
			func(_ *testing.T, cluster *redistest.Cluster, node int) { cluster.KillNode(node) },
			func(t *testing.T, cluster *redistest.Cluster, node int) { cluster.RestartNode(t, node) },
		},
		{
			"when it hangs",
			func(t *testing.T, cluster *redistest.Cluster, node int) {
				cluster.SignalNode(t, node, syscall.SIGSTOP)
			},
			func(t *testing.T, cluster *redistest.Cluster, node int) {
				cluster.SignalNode(t, node, syscall.SIGCONT)
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t, 3, redistest.Config("cluster-require-full-coverage", "no"), redistest.AppendOnly("always"))
			// Shorter timeouts than usual, so that the test does not wait for a hanging node.
			client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: cluster.Addrs(), ContextTimeoutEnabled: true, ReadTimeout: patience})
			t.Cleanup(func() { _ = client.Close() })
			ctx, ledger := t.Context(), store.NewLedger(client, newKeys(t))
			listed := nodeOf(t, cluster, client, "ix:connections")
			victim := (listed + 1) % 3
			struck, other := connectionsOn(t, cluster, client, victim), connectionsOn(t, cluster, client, (listed+2)%3)
			for _, customer := range []string{struck[0], other[0]} {
				if _, err := ledger.Connections.Add(ctx, good(customer), "ana", ""); err != nil {
					t.Fatal(err)
				}
			}
			if err := ledger.Lanes.Pause(ctx, other[0], store.Pause{By: "ana", Until: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
			knew := &workers{told: make(chan []string, 100)}
			before := connections.NewSource(ledger, hosts(t, ""), zerolog.Nop(), knew.apply)
			if err := before.Load(ctx); err != nil {
				t.Fatal(err)
			}
			_ = knew.latest()
			// A process that has already read this connection does not see the change.
			edited := good(struck[0])
			edited.Username = "edited"
			if _, err := ledger.Connections.Edit(ctx, edited, 1, "ana", ""); err != nil {
				t.Fatal(err)
			}
			if _, err := ledger.Connections.Add(ctx, good(struck[1]), "ana", ""); err != nil {
				t.Fatal(err)
			}
			tc.strike(t, cluster, victim)
			if _, err := ledger.Connections.Add(ctx, good(other[1]), "ana", ""); err != nil {
				t.Fatal(err)
			}

			usual := func(customers ...string) (want []string) {
				for _, c := range customers {
					want = append(want, c+" export-user")
				}
				slices.Sort(want)
				return want
			}
			_ = connections.CatchUp(before, ctx)
			if diff := cmp.Diff(usual(struck[0], other[0], other[1]), knew.latest()); diff != "" {
				t.Errorf("known connections stay, and new reachable ones are applied (-want +got):\n%s", diff)
			}
			news := &workers{told: make(chan []string, 100)}
			after := connections.NewSource(ledger, hosts(t, ""), zerolog.Nop(), news.apply)
			// A stored connection takes precedence, even while it cannot be read.
			after.SetFile([]store.Connection{good(struck[1])})
			if err := after.Load(ctx); err != nil {
				t.Fatalf("load in a new worker: %v", err)
			}
			if diff := cmp.Diff(usual(other[0], other[1]), news.latest()); diff != "" {
				t.Errorf("a new worker serves the reachable connections (-want +got):\n%s", diff)
			}

			tc.heal(t, cluster, victim)
			want := append(usual(struck[1], other[0], other[1]), struck[0]+" edited")
			slices.Sort(want)
			within, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			becomes := func(source *connections.Source, applied *workers) {
				t.Helper()
				for !cmp.Equal(applied.latest(), want) {
					if err := connections.CatchUp(source, within); within.Err() != nil {
						t.Fatalf("read once the node is back: %v (%v), want %v", applied.latest(), err, want)
					}
				}
			}
			becomes(before, knew)
			becomes(after, news)
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

// connectionsOn returns two customers whose keys are on a node.
func connectionsOn(t *testing.T, cluster *redistest.Cluster, client *redis.ClusterClient, node int) (customers []string) {
	t.Helper()
	for id := 1000; len(customers) < 2; id++ {
		if c := strconv.Itoa(id); nodeOf(t, cluster, client, "ix:{"+c+"}:conn") == node {
			customers = append(customers, c)
		}
	}
	return customers
}
