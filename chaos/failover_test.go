package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/child"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

// TestSentinelFailover kills the master while several customers' lanes are working. Three Sentinels
// promote the replica. One customer's first batches arrive after that.
func TestSentinelFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	master := redistest.Start(t, redistest.AppendOnly("everysec"))
	host, port, err := net.SplitHostPort(master.Addr())
	if err != nil {
		t.Fatal(err)
	}
	replica := redistest.Start(t, redistest.AppendOnly("everysec"), redistest.Config("replicaof", host+" "+port))
	eventually(t, 20*time.Second, "the replica follows", func() error {
		info, err := replica.Client(t).Info(t.Context(), "replication").Result()
		if err != nil || !strings.Contains(info, "master_link_status:up") {
			return fmt.Errorf("not yet (%w)", err)
		}
		return nil
	})
	sentinels := startSentinels(t, host, port)
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "exports", SentinelAddrs: sentinels, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })

	atWork, newcomer := []string{"2001", "2002", "2003"}, []string{"2004"}
	r := newRig(t, rigOptions{
		redisURL: "redis+sentinel://" + strings.Join(sentinels, ",") + "/exports?db=0", client: client,
		workers: 2, seed: 1, callsPerSecond: 25, chunk: 50, customers: slices.Concat(customers, atWork, newcomer),
	})
	everyone := newCrowd(rand.New(rand.NewPCG(2, 1)), 300)
	everyone.deliveries = append(newWave("s", atWork, 60, 12).deliveries, everyone.deliveries...)
	late := newWave("s", newcomer, 30, 12).deliveries
	r.sim.seedPeople(everyone.present)
	r.sim.setFaults(icimstest.Faults{Error500After: 0.03, SearchLag: time.Second})
	receipts := r.sendAll(t, everyone.deliveries)
	eventually(t, time.Minute, "all lanes have begun", func() error { return r.begun(receipts) })
	master.Kill(t)
	killed := time.Now()
	receipts = append(receipts, r.sendAll(t, late)...) // not before the failover
	everyone.deliveries = append(everyone.deliveries, late...)
	t.Logf("the newcomer's batches were taken %s after the master was killed", time.Since(killed).Round(100*time.Millisecond))
	master.Restart(t) // the Sentinels make it a replica
	r.sim.setFaults(icimstest.Faults{})
	unfinished := r.await(batchesOf(receipts), 2*time.Minute)
	t.Logf("all had ended %s after the master was killed", time.Since(killed).Round(time.Second))
	for _, w := range r.workers {
		if !w.Running() {
			t.Errorf("%s ended", w.Name)
		}
	}
	r.stopWorkers()
	r.sim.calls(r.dir)
	check(t, r, everyone, receipts, circumstances{unfinished: unfinished})
}

// begun reports whether an export of each customer has ended.
func (r *rig) begun(receipts []tasks.Receipt) error {
	for _, customer := range r.customers {
		sent := slices.ContainsFunc(receipts, func(receipt tasks.Receipt) bool { return receipt.Batch.Customer() == customer })
		if !sent {
			continue
		}
		if ended, err := r.endedOf(receipts, []string{customer}); err != nil || ended == 0 {
			return fmt.Errorf("nothing of customer %s has ended (%v)", customer, err)
		}
	}
	return nil
}

// startSentinels starts three Sentinels for a master named "exports".
func startSentinels(t *testing.T, host, port string) []string {
	t.Helper()
	dir := t.TempDir()
	addrs := make([]string, 3)
	for i := range addrs {
		addrs[i] = freeAddr(t)
		_, own, err := net.SplitHostPort(addrs[i])
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("sentinel-%d", i+1)
		conf := filepath.Join(dir, name+".conf")
		r := &rig{t: t, dir: dir}
		r.write(conf, []byte(strings.Join([]string{
			"bind 127.0.0.1", "port " + own, "dir " + dir,
			"sentinel monitor exports " + host + " " + port + " 2",
			"sentinel down-after-milliseconds exports 1500",
			"sentinel failover-timeout exports 10000", "",
		}, "\n")))
		log, err := child.LogFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("redis-server", conf, "--sentinel")
		cmd.Stdout, cmd.Stderr = log, log
		c, err := child.Start(name, cmd)
		_ = log.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Kill)
	}
	for _, addr := range addrs {
		sentinel := redis.NewSentinelClient(&redis.Options{Addr: addr})
		eventually(t, 30*time.Second, "the Sentinels know each other and the replica", func() error {
			known, err := sentinel.Master(t.Context(), "exports").Result()
			if err != nil || known["num-other-sentinels"] != "2" || known["num-slaves"] != "1" {
				return fmt.Errorf("other Sentinels %q, replicas %q: %w", known["num-other-sentinels"], known["num-slaves"], err)
			}
			return nil
		})
		_ = sentinel.Close()
	}
	return addrs
}
