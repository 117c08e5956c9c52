package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestRisks(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		start func(t *testing.T) *redistest.Server
		risks []string
	}{
		{"a durable Redis has no risks", func(t *testing.T) *redistest.Server { return redistest.Start(t, redistest.AppendOnly("everysec")) }, nil},
		{"a Redis without a log loses exports in progress", func(t *testing.T) *redistest.Server { return redistest.Start(t) }, []string{"appendonly"}},
		{"a Redis that evicts keys loses data", func(t *testing.T) *redistest.Server {
			return redistest.Start(t, redistest.AppendOnly("everysec"), redistest.Config("maxmemory-policy", "allkeys-lru"))
		}, []string{"allkeys-lru"}},
		{"without CONFIG the same risks are found in INFO", func(t *testing.T) *redistest.Server {
			return redistest.Start(t, redistest.Config("rename-command", `CONFIG ""`), redistest.Config("maxmemory-policy", "allkeys-lru"))
		}, []string{"appendonly", "allkeys-lru"}},
		{"without CONFIG and INFO it says that it could not check", func(t *testing.T) *redistest.Server {
			return redistest.Start(t, redistest.Config("rename-command", `CONFIG ""`), redistest.Config("rename-command", `INFO ""`))
		}, []string{"could not be checked"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			risks, err := store.Risks(t.Context(), c.start(t).Client(t))
			if err != nil || len(risks) != len(c.risks) {
				t.Fatalf("risks %q, %v", risks, err)
			}
			for i, want := range c.risks {
				if !strings.Contains(risks[i], want) {
					t.Errorf("risk %q does not name %s", risks[i], want)
				}
			}
		})
	}
}

// Each node of a cluster has its own settings, and any of them may be wrong.
func TestRisksOfACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, redistest.AppendOnly("everysec"), redistest.Config("cluster-require-full-coverage", "no"))
	client := cluster.Client(t)
	if risks, err := store.Risks(t.Context(), client); err != nil || len(risks) != 0 {
		t.Fatalf("risks of a good cluster: %q, %v", risks, err)
	}
	for i, setting := range [][3]string{
		{"maxmemory-policy", "allkeys-lru", "allkeys-lru"},
		{"appendonly", "no", "appendonly"},
		{"cluster-require-full-coverage", "yes", "cluster-require-full-coverage"},
	} {
		addr := cluster.Addrs()[i]
		node := redis.NewClient(&redis.Options{Addr: addr})
		if err := node.ConfigSet(t.Context(), setting[0], setting[1]).Err(); err != nil {
			t.Fatal(err)
		}
		_ = node.Close()
		risks, err := store.Risks(t.Context(), client)
		if err != nil || len(risks) != i+1 || !slices.ContainsFunc(risks, func(r string) bool { return strings.Contains(r, addr) && strings.Contains(r, setting[2]) }) {
			t.Errorf("risks of %s %s on %s: %q, %v", setting[0], setting[1], addr, risks, err)
		}
	}
	t.Run("a node that is down is one, and no reason not to start", func(t *testing.T) {
		cluster.KillNode(1)
		risks, err := store.Risks(t.Context(), client)
		if err != nil || !slices.ContainsFunc(risks, func(r string) bool { return strings.Contains(r, cluster.Addrs()[1]+" does not answer") }) {
			t.Errorf("risks %q, %v", risks, err)
		}
	})
	t.Run("without any node there is no Redis", func(t *testing.T) {
		cluster.KillNode(0)
		cluster.KillNode(2)
		if err := store.Reach(t.Context(), client); err == nil {
			t.Error("a dead cluster answers")
		}
	})
}
