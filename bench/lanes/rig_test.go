package lanes_test

import (
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
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

const (
	username = "export-user"
	password = "made-up"
	job      = 1701
	// callsEach is the calls per new candidate to a job: person, workflow, and a share of the
	// look-up.
	callsEach     = 2.04
	plenty        = 1_000_000_000 // calls per day
	defaultWindow = 20 * time.Second
	grace         = 20 * time.Second // for a process to stop
)

// account is a customer with limits. The simulator enforces what the connection promises.
type account struct {
	customer string
	limits   store.Limits
	// ignoresCase means that its exact search ignores case, and that verification has detected it.
	ignoresCase bool
}

// accounts returns n customers with the same limits.
func accounts(n int, limits store.Limits) []account {
	const first = 10_001
	all := make([]account, n)
	for i := range all {
		all[i] = account{customer: fmt.Sprint(first + i), limits: limits}
	}
	return all
}

// unlimited are limits that do not apply on this machine.
var unlimited = store.Limits{CallsPerSecond: 1_000_000, Burst: 1_000_000, InFlight: 1000, CallsPerDay: plenty}

// rig is an installation: Redis, the simulated iCIMS, and workers.
type rig struct {
	b        *testing.B
	dir      string
	binary   string
	env      []string
	server   *redistest.Server
	redis    redis.UniversalClient
	ledger   *store.Ledger
	producer *tasks.Client
	sim      *simulator
	profile  func(*store.TenantProfile) // further results of the verification
	workers  []*child.Process
	started  int // workers so far
}

// newRig starts Redis and the simulator, without workers.
func newRig(b *testing.B, customers []account) *rig {
	b.Helper()
	binary, err := program()
	if err != nil {
		b.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "bench-lanes-") //nolint:usetesting // kept when asked for
	if err != nil {
		b.Fatal(err)
	}
	r := &rig{b: b, dir: dir, binary: binary, server: redistest.Start(b), profile: func(p *store.TenantProfile) {
		p.IgnoresCase = store.AnswerOf(customers[0].ignoresCase)
	}}
	b.Cleanup(func() {
		if *keep || b.Failed() {
			b.Logf("logs are kept in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	r.redis = r.server.Client(b)
	keyset, connections := filepath.Join(dir, "keyset.json"), filepath.Join(dir, "connections.yml")
	r.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "ICIMS_PASSWORD=" + password,
		"ICIMS_EXPORT_REDIS_URL=" + r.server.URL(), "ICIMS_EXPORT_KEYSET=" + keyset, "ICIMS_EXPORT_CONNECTIONS=" + connections,
		"ICIMS_EXPORT_LOG_FORMAT=json",
	}
	keys, err := r.command("keys", "new").Output()
	if err != nil {
		b.Fatal(err)
	}
	r.write(keyset, string(keys))
	set, err := store.ReadKeysetFile(keyset)
	if err != nil {
		b.Fatal(err)
	}
	r.ledger = store.NewLedger(r.redis, set, store.WithMaxWaiting(max(*many, store.DefaultMaxWaiting)))
	r.producer = tasks.NewClient(r.redis, r.ledger)
	r.sim = startSimulator(r, customers)
	r.env = append(r.env, "ICIMS_EXPORT_ICIMS_HOSTS="+r.sim.origin)
	r.write(connections, connectionsFile(r.sim.origin, customers))
	b.Cleanup(func() {
		for _, w := range r.workers {
			w.Kill()
		}
	})
	return r
}

func connectionsFile(origin string, customers []account) string {
	var text strings.Builder
	text.WriteString("connections:\n")
	for _, a := range customers {
		fmt.Fprintf(&text, "  - customer: %q\n    username: %s\n    password_env: ICIMS_PASSWORD\n    portal_urls: %s/customers/%s/search/portals/1?staleness=0\n",
			a.customer, username, origin, a.customer)
		fmt.Fprintf(&text, "    limits: {calls_per_second: %v, burst: %d, in_flight: %d, calls_per_day: %d}\n",
			a.limits.CallsPerSecond, a.limits.Burst, a.limits.InFlight, a.limits.CallsPerDay)
	}
	return text.String()
}

func (r *rig) write(path, text string) {
	r.b.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.b.Fatal(err)
	}
}

// command returns a command of the program.
func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.Command(r.binary, args...)
	cmd.Env, cmd.Dir = r.env, r.dir
	return cmd
}

// launch starts the program in its own process, with a log.
func (r *rig) launch(name string, cmd *exec.Cmd) *child.Process {
	r.b.Helper()
	log, err := child.LogFile(r.dir, name)
	if err != nil {
		r.b.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	p, err := child.Start(name, cmd)
	if err != nil {
		r.b.Fatal(err)
	}
	return p
}

// start starts n workers for verified connections and waits until they serve.
func (r *rig) start(n int) {
	r.b.Helper()
	testrig.VerifyFile(r.b, r.ledger, filepath.Join(r.dir, "connections.yml"), r.env, r.profile)
	first := len(r.workers)
	for range n {
		r.started++
		r.workers = append(r.workers, r.launch(fmt.Sprintf("worker-%d", r.started), r.command("worker")))
	}
	for _, w := range r.workers[first:] {
		r.eventually(startTime, w.Name+" serves", func() bool {
			if !w.Running() {
				r.b.Fatalf("%s ended: %v\n%s", w.Name, w.Err(), r.log(w))
			}
			return strings.Contains(r.log(w), "worker started")
		})
	}
}

const startTime = 30 * time.Second

// stop shuts down all workers.
func (r *rig) stop() {
	r.b.Helper()
	for _, w := range r.workers {
		if err := w.Stop(grace); err != nil {
			r.b.Errorf("%s: %v", w.Name, err)
		}
	}
	r.workers = nil
}

func (r *rig) log(w *child.Process) string {
	text, err := os.ReadFile(filepath.Join(r.dir, w.Name+".log"))
	if err != nil {
		r.b.Fatal(err)
	}
	return string(text)
}

// lanes returns the number of open lanes, from the workers' logs.
func (r *rig) lanes() (open int) {
	for _, w := range r.workers {
		log := r.log(w)
		open += strings.Count(log, `"lane opened"`) - strings.Count(log, `"lane closed"`)
	}
	return open
}

// lanesOpened returns the number of lanes opened so far, from the workers' logs.
func (r *rig) lanesOpened() (n int) {
	for _, w := range r.workers {
		n += strings.Count(r.log(w), `"lane opened"`)
	}
	return n
}

// within polls until the condition holds, and reports whether it did in time.
func within(limit time.Duration, holds func() bool) bool {
	const pause = 10 * time.Millisecond
	deadline := time.Now().Add(limit)
	for !holds() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
	}
	return true
}

// eventually is within, and fails otherwise.
func (r *rig) eventually(limit time.Duration, what string, holds func() bool) {
	r.b.Helper()
	if !within(limit, holds) {
		r.b.Fatalf("not within %s: %s", limit, what)
	}
}
