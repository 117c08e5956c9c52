package chaos_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/internal/child"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

// Two customers: most candidates are exported to the first. Only the second gets bursts of 429,
// since one of them pauses a lane for a minute.
const (
	customer  = "1234"
	throttled = "5678"
)

var customers = []string{customer, throttled}

// Timeouts of the workers under test: much shorter than in production, in the same order, so that
// minutes show what a day would.
const (
	callTimeout = time.Second
	settleTime  = 8 * time.Second // longer than the longest search lag plus a call
	maxLag      = 5 * time.Second
	lease       = 3 * time.Second
	grace       = 15 * time.Second
)

// rig is an installation: its files, its Redis, the simulated iCIMS and the workers.
type rig struct {
	t       *testing.T
	dir     string // logs and files; kept when the test fails
	binary  string
	env     []string
	sim     *simulator
	workers []*child.Process
	ledger  *store.Ledger
	redis   redis.UniversalClient
	// customers have a connection and a tenant.
	customers []string
}

type rigOptions struct {
	redisURL string
	client   redis.UniversalClient
	workers  int
	seed     uint64
	// callsPerSecond is the limit of each customer, over all workers.
	callsPerSecond int
	chunk          int
	customers      []string // nil: the usual two
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "chaos-") //nolint:usetesting // kept when the test fails
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, binary: binary, redis: o.client, customers: o.customers}
	if r.customers == nil {
		r.customers = customers
	}
	t.Cleanup(func() {
		if t.Failed() || os.Getenv("CHAOS_KEEP") != "" {
			t.Logf("logs are kept in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	keyset := filepath.Join(dir, "keyset.json")
	r.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "ICIMS_PASSWORD=" + password,
		"ICIMS_EXPORT_REDIS_URL=" + o.redisURL, "ICIMS_EXPORT_KEYSET=" + keyset,
		"ICIMS_EXPORT_CONNECTIONS=" + filepath.Join(dir, "connections.yml"),
		"ICIMS_EXPORT_CALL_TIMEOUT=" + callTimeout.String(), "ICIMS_EXPORT_SETTLE_TIME=" + settleTime.String(),
		"ICIMS_EXPORT_LEASE=" + lease.String(), "ICIMS_EXPORT_RETRY_MIN=200ms", "ICIMS_EXPORT_RETRY_MAX=3s",
		"ICIMS_EXPORT_SHUTDOWN_TIMEOUT=10s", fmt.Sprintf("ICIMS_EXPORT_ENQUEUE_CHUNK=%d", max(o.chunk, 1)),
		"ICIMS_EXPORT_LANE_CONCURRENCY=12", "ICIMS_EXPORT_LOG_LEVEL=debug", "ICIMS_EXPORT_LOG_FORMAT=json",
	}
	keys := r.output("keys", "new")
	r.write(keyset, keys)
	set, err := store.ReadKeysetFile(keyset)
	if err != nil {
		t.Fatal(err)
	}
	r.ledger = store.NewLedger(o.client, set)

	r.sim = startSimulator(r, o.seed)
	r.env = append(r.env, "ICIMS_EXPORT_ICIMS_HOSTS="+r.sim.origin)
	limits := fmt.Sprintf("limits: {calls_per_second: %d, burst: %d, in_flight: 8, calls_per_day: %d}", o.callsPerSecond, o.callsPerSecond, dailyLimit)
	lines := []string{"connections:"}
	for _, c := range r.customers {
		lines = append(lines, `  - customer: "`+c+`"`, "    username: export-user", "    password_env: ICIMS_PASSWORD",
			"    portal_urls: "+r.sim.origin+"/customers/"+c+"/search/portals/1?staleness=0", "    "+limits)
	}
	r.write(filepath.Join(dir, "connections.yml"), []byte(strings.Join(lines, "\n")+"\n"))
	testrig.VerifyFile(t, r.ledger, filepath.Join(dir, "connections.yml"), r.env)
	for i := range o.workers {
		r.workers = append(r.workers, nil)
		r.startWorker(i)
	}
	t.Cleanup(func() {
		for _, w := range r.workers {
			w.Kill()
		}
	})
	return r
}

func (r *rig) write(path string, data []byte) {
	r.t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// command returns a command of the program.
func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.Command(r.binary, args...)
	cmd.Env = r.env
	cmd.Dir = r.dir
	return cmd
}

// output runs the program, which must succeed, and returns its output.
func (r *rig) output(args ...string) []byte {
	r.t.Helper()
	cmd := r.command(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("icims-export %s: %v\n%s", args[0], err, stderr.Bytes())
	}
	return out
}

// startWorker starts worker i. A worker that finds Redis down exits, and is restarted like a killed
// one.
func (r *rig) startWorker(i int) {
	r.t.Helper()
	name := fmt.Sprintf("worker-%d", i+1)
	log, err := child.LogFile(r.dir, name)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	cmd := r.command("worker")
	cmd.Stdout, cmd.Stderr = log, log
	if r.workers[i], err = child.Start(name, cmd); err != nil {
		r.t.Fatal(err)
	}
}

// revive restarts workers that have exited.
func (r *rig) revive() {
	for i, w := range r.workers {
		if !w.Running() {
			r.startWorker(i)
		}
	}
}

// stopWorkers shuts down all workers.
func (r *rig) stopWorkers() {
	r.t.Helper()
	for _, w := range r.workers {
		if err := w.Stop(grace); err != nil {
			r.t.Errorf("%s: %v", w.Name, err)
		}
	}
}

// pending returns how many exports of the batches have not ended. ok is false while Redis is
// unreachable.
func (r *rig) pending(batches []store.BatchID) (pending int, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, id := range batches {
		b, err := r.ledger.Batches.Get(ctx, id)
		if err != nil {
			return 0, false
		}
		pending += b.Moving()
		if b.Ended.IsZero() && b.Moving() == 0 {
			pending++ // not closed yet
		}
	}
	return pending, true
}

// await polls until the batches have ended, for at most the limit, and returns how many exports are
// pending. It does not fail: the ended exports are compared in any case.
func (r *rig) await(batches []store.BatchID, limit time.Duration) (unfinished int) {
	r.t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		pending, ok := r.pending(batches)
		if ok && pending == 0 {
			return 0
		}
		r.revive()
		select {
		case <-deadline.C:
			return max(pending, 1)
		case <-tick.C:
		}
	}
}
