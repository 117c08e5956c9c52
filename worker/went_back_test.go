package worker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// A Redis that went back has lost acknowledged writes, and iCIMS has not. These tests make that
// happen in the middle of a run, with workers that share only Redis, and count what iCIMS holds.

// settleShort is a settle time for tests. It is longer than a trusted claim (2 s), a call (1 s)
// and the longest search lag (5 s) together, with margin for a busy machine.
const settleShort = 11 * time.Second

// duplicatingRig returns a rig whose simulator accepts second profiles and workflows, and whose
// search lags.
func duplicatingRig(t *testing.T, lag time.Duration) *rig {
	t.Helper()
	r := newRig(t, rigOptions{
		stopped: true, sim: calm(),
		tenant: func(c *icimstest.TenantConfig) {
			c.Behavior = &icimstest.Behavior{DuplicateEmail: icimstest.Allow, DuplicateWorkflow: icimstest.Allow}
		},
		conn: func(c *store.Connection) { c.Limits.CallsPerSecond, c.Limits.Burst, c.Limits.InFlight = 150, 20, 16 },
	})
	r.sim.SetFaults(icimstest.Faults{SearchLag: lag})
	return r
}

// startWorker starts a worker with its own clients, like another process.
func (r *rig) startWorker(server *redistest.Server) *worker.Worker {
	r.t.Helper()
	return r.crewMemberOf(server.Client(r.t))
}

func (r *rig) crewMemberOf(client redis.UniversalClient) *worker.Worker {
	r.t.Helper()
	settings := worker.DefaultSettings()
	settings.CallTimeout, settings.SettleTime, settings.Lease = time.Second, settleShort, 2*time.Second
	settings.RetryMin, settings.RetryMax = 10*time.Millisecond, 50*time.Millisecond
	settings.ShutdownTimeout = 5 * time.Second
	hosts, err := icims.ParseHostPolicy(r.server.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	w := worker.New(client, store.NewLedger(client, r.ledger.Keys()), settings, hosts, zerolog.New(r.logs))
	w.SetConnections([]store.Connection{r.conn})
	if err := w.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(w.Stop)
	return w
}

// made waits until iCIMS has that many people.
func (r *rig) made(n int) {
	r.t.Helper()
	r.eventually(fmt.Sprintf("iCIMS has %d people", n), func() bool { return len(r.tenant.People()) >= n })
}

// eachOnce checks that each candidate is in iCIMS once, with one workflow.
func (r *rig) eachOnce(n int) {
	r.t.Helper()
	inv := r.sim.Invariants()
	if len(inv.DuplicateProfiles) > 0 || len(inv.DuplicateWorkflows) > 0 || inv.People != n || inv.Workflows != n {
		r.t.Errorf("of %d candidates iCIMS has %d people and %d workflows; %d addresses have several profiles, %d people several workflows for one job",
			n, inv.People, inv.Workflows, len(inv.DuplicateProfiles), len(inv.DuplicateWorkflows))
	}
}

func TestRestoredRedisMakesNoDuplicates(t *testing.T) {
	t.Parallel()
	for _, lag := range []time.Duration{0, time.Second} {
		t.Run(fmt.Sprintf("search lag %s", lag), func(t *testing.T) {
			t.Parallel()
			const n = 400
			r := duplicatingRig(t, lag)
			r.startWorker(r.store)
			r.startWorker(r.store)
			batch := r.send(input.ToJob(job), input.Options{}, people(n)...)
			r.made(100)
			copied := r.store.Backup(t)
			r.made(200)
			r.store.Restore(t, copied)
			r.finished(batch)
			r.eachOnce(n)
		})
	}
}

func TestRestoreAndWorkerRestartMakeNoDuplicates(t *testing.T) {
	t.Parallel()
	const n = 300
	r := duplicatingRig(t, 2*time.Second)
	crew := []*worker.Worker{r.startWorker(r.store), r.startWorker(r.store)}
	batch := r.send(input.ToJob(job), input.Options{}, people(n)...)
	r.made(100)
	copied := r.store.Backup(t)
	r.made(200)
	for _, w := range crew {
		w.Stop()
	}
	r.store.Restore(t, copied)
	r.startWorker(r.store)
	r.startWorker(r.store)
	r.finished(batch)
	r.eachOnce(n)
}

func TestLaggingReplicaMakesNoDuplicates(t *testing.T) {
	t.Parallel()
	const n = 400
	r := duplicatingRig(t, time.Second)
	replica := redistest.Start(t)
	ctx := t.Context()
	follower, _ := replica.Client(t).(*redis.Client)
	host, port := redistest.HostPort(t, r.store)
	if err := follower.ReplicaOf(ctx, host, port).Err(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the replica follows", func() bool {
		info, err := follower.Info(ctx, "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	// As with Sentinel, both clients connect to the current master after the failover.
	master := redistest.NewSwitch(r.store)
	r.crewMemberOf(master.Client(t))
	r.crewMemberOf(master.Client(t))
	batch := r.send(input.ToJob(job), input.Options{}, people(n)...)
	r.made(100)
	r.eventually("the replica has caught up", func() bool {
		b, err := store.NewLedger(follower, r.ledger.Keys()).Batches.Get(ctx, batch)
		return err == nil && b.Created > 0
	})
	// The replica receives nothing from now on.
	if err := follower.ReplicaOf(ctx, "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	r.made(250)
	r.store.Kill(t)
	if err := follower.ReplicaOf(ctx, "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	master.To(replica)
	r.ledger = store.NewLedger(follower, r.ledger.Keys())
	r.finished(batch)
	r.eachOnce(n)
}

func TestEmptiedRedisMakesNoDuplicates(t *testing.T) {
	t.Parallel()
	const n = 300
	r := duplicatingRig(t, 5*time.Second) // longer than calls wait for the unknown quota
	r.startWorker(r.store)
	r.startWorker(r.store)
	all := people(n)
	r.send(input.ToJob(job), input.Options{}, all...)
	r.made(100)
	if err := r.redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	// The producer learns that its batch is gone and submits it again.
	batch := r.send(input.ToJob(job), input.Options{}, all...)
	r.finished(batch)
	r.eachOnce(n)
	r.eventually("a worker logs it", func() bool { return r.logs.Count("the ledger is empty but was not") > 0 })
}
