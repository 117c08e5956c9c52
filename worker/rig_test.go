package worker_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

func TestMain(m *testing.M) {
	// Workers mostly wait for scheduled work.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(redistest.Main(m))
}

const (
	customer = "1234"
	password = "correct horse battery staple"
	job      = 1701
)

// rig is a complete deployment in one test: a real Redis, the simulator behind HTTP, a producer
// and a worker.
type rig struct {
	t        *testing.T
	sim      *icimstest.Simulator
	tenant   *icimstest.Tenant
	server   *icimstest.Server
	store    *redistest.Server
	redis    redis.UniversalClient
	ledger   *store.Ledger
	producer *tasks.Client
	worker   *worker.Worker
	conn     store.Connection
	logs     *testrig.Log
	traces   trace.TracerProvider
}

type rigOptions struct {
	sim      icimstest.Config
	tenant   func(*icimstest.TenantConfig)
	conn     func(*store.Connection)
	settings func(*worker.Settings)
	stopped  bool // do not start the worker
	// ahead is how much the clock of the worker and the producer is ahead of Redis's.
	ahead  time.Duration
	traces trace.TracerProvider
}

// calm is a simulator without faults or delays.
func calm() icimstest.Config {
	return icimstest.Config{Latency: icimstest.Latency{None: true}, Quirks: icimstest.Quirks{None: true}}
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	r := &rig{t: t, sim: icimstest.New(o.sim), logs: &testrig.Log{}, traces: o.traces}
	tenant := icimstest.DemoTenant(customer, "export-user", password)
	tenant.DailyLimit = 1_000_000
	if o.tenant != nil {
		o.tenant(&tenant)
	}
	r.tenant = r.sim.AddTenant(tenant)
	r.server = icimstest.NewServer(r.sim)
	t.Cleanup(r.server.Close)

	r.conn = store.Connection{
		Customer: customer, Username: "export-user", Password: password,
		PortalURLs: r.server.PortalURL(customer, 1), LinkedInField: "field51001",
		Limits: store.Limits{CallsPerSecond: 100_000, Burst: 1000, InFlight: 16, CallsPerDay: 1_000_000},
		// The profile that verification would record for the simulator.
		Profile: store.TenantProfile{SearchOr: store.Yes, ReadsPair: store.Yes},
	}
	if o.conn != nil {
		o.conn(&r.conn)
	}
	r.store = redistest.Start(t)
	r.redis = r.store.Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	r.ledger = store.NewLedger(r.redis, keys)
	if o.ahead != 0 {
		r.ledger = store.NewLedger(r.redis, keys, store.WithSimulatedClock())
		r.keepClockBehind(o.ahead)
	}
	r.producer = tasks.NewClient(r.redis, r.ledger, tasks.WithTraces(o.traces))
	r.worker = r.newWorker(o.settings)
	if !o.stopped {
		r.start()
	}
	return r
}

// keepClockBehind keeps the ledger's clock behind that of this process.
func (r *rig) keepClockBehind(by time.Duration) {
	set := func() {
		r.must(r.redis.Set(context.WithoutCancel(r.t.Context()), store.SimulatedClockKey, time.Now().Add(-by).UnixMilli(), 0).Err())
	}
	set()
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				set()
			}
		}
	}()
	r.t.Cleanup(func() {
		close(ended)
		<-stopped
	})
}

func (r *rig) newWorker(change func(*worker.Settings)) *worker.Worker {
	r.t.Helper()
	settings := worker.DefaultSettings()
	settings.LaneConcurrency = 20
	settings.RetryMin, settings.RetryMax = 10*time.Millisecond, 50*time.Millisecond
	if change != nil {
		change(&settings)
	}
	hosts, err := icims.ParseHostPolicy(r.server.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	w := worker.New(r.redis, r.ledger, settings, hosts, zerolog.New(r.logs))
	w.TraceTo(r.traces)
	w.SetConnections([]store.Connection{r.conn})
	return w
}

func (r *rig) start() {
	r.t.Helper()
	if err := r.worker.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.worker.Stop)
}

// send submits a batch and expects every row to be accepted.
func (r *rig) send(target input.Target, options input.Options, candidates ...input.Candidate) store.BatchID {
	r.t.Helper()
	receipt, err := r.producer.Enqueue(r.t.Context(), input.Batch{
		Customer: customer, Target: target, Options: options, Candidates: input.Candidates(candidates...),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(receipt.Refused) > 0 {
		r.t.Fatalf("refused: %+v", receipt.Refused[0])
	}
	return receipt.Batch
}

// patience bounds the wait for a job list.
const patience = 2 * time.Minute

// eventually polls until the condition holds.
func (r *rig) eventually(what string, holds func() bool) {
	r.t.Helper()
	testrig.Eventually(r.t, what, holds, r.logs)
}

// finished waits for the end of a batch.
func (r *rig) finished(id store.BatchID) store.Batch {
	r.t.Helper()
	var b store.Batch
	r.eventually("the batch ends", func() bool {
		var err error
		if b, err = r.ledger.Batches.Get(r.t.Context(), id); err != nil {
			r.t.Fatal(err)
		}
		return !b.Ended.IsZero()
	})
	return b
}

// run sends a batch and waits for its end.
func (r *rig) run(target input.Target, options input.Options, candidates ...input.Candidate) store.Batch {
	r.t.Helper()
	return r.finished(r.send(target, options, candidates...))
}

func (r *rig) outcomes(id store.BatchID) []store.Outcome {
	r.t.Helper()
	o, err := r.ledger.Batches.Outcomes(r.t.Context(), id, 0, 1_000_000)
	if err != nil {
		r.t.Fatal(err)
	}
	return o
}

// calls counts the simulator's calls of some routes.
func (r *rig) calls(routes ...string) int {
	n := 0
	counts := r.sim.CallCounts()
	for _, route := range routes {
		if !slices.ContainsFunc(icimstest.Routes(), func(known icimstest.Route) bool { return known.Name == route }) {
			r.t.Fatalf("the simulator has no route %q", route)
		}
		n += counts[route]
	}
	return n
}

// clean checks that the simulator saw no duplicate and no call over a limit.
func (r *rig) clean() {
	r.t.Helper()
	inv := r.sim.Invariants()
	if len(inv.DuplicateProfiles)+len(inv.DuplicateWorkflows) > 0 || inv.ExperienceWrites+inv.EducationWrites > 0 {
		r.t.Errorf("invariants broken: %+v", inv)
	}
	if n, err := r.ledger.Recovery.IllegalMoves(r.t.Context(), customer); err != nil || n != 0 {
		r.t.Errorf("%d illegal moves, %v", n, err)
	}
}

// ana is a candidate with all groups of fields.
func ana() input.Candidate {
	return input.Candidate{
		ID: "c-000123", FirstName: "Ana", LastName: "Duarte", Email: "ana.duarte@example.com",
		Phones:         []input.Phone{{Number: "+1 425 555 0143", Type: "mobile"}},
		LinkedInURL:    "https://www.linkedin.com/in/example",
		WorkExperience: []input.WorkExperience{{Employer: "Contoso", Title: "Data Engineer", Start: "2021-03"}},
		Education:      []input.Education{{School: "University of Porto", Degree: "Master of Science"}},
	}
}

// people returns candidates that differ in ID and email.
func people(n int) []input.Candidate {
	all := make([]input.Candidate, n)
	for i := range all {
		c := ana()
		c.ID = fmt.Sprintf("c-%06d", i)
		c.Email = fmt.Sprintf("person-%06d@example.com", i)
		c.Phones = []input.Phone{{Number: fmt.Sprintf("+1 425 555 %04d", i%10000), Type: "mobile"}}
		all[i] = c
	}
	return all
}

// limited returns a connection with a rate limit.
func limited(perSecond float64) func(*store.Connection) {
	return func(c *store.Connection) { c.Limits.CallsPerSecond, c.Limits.Burst = perSecond, 1 }
}
