package main

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/metrics"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

type demoCommand struct {
	Candidates int    `default:"200" placeholder:"N" help:"Number of candidates to generate, 10 to 2000."`
	Seed       uint64 `default:"1" help:"Seed of the generated people."`
	Exit       bool   `help:"Exit after the summary, without console and API."`
	JSON       bool   `name:"json" help:"Print the summary as one line of JSON and exit."`
}

const (
	demoCustomer = "1234"
	demoJob      = 1709
)

// demoSettings are worker settings with short waits.
func demoSettings() worker.Settings {
	s := worker.DefaultSettings()
	s.CallTimeout, s.SettleTime, s.Lease, s.ShutdownTimeout = 5*time.Second, 6*time.Second, 10*time.Second, 8*time.Second
	s.RetryMin, s.RetryMax, s.RetryBudget = 200*time.Millisecond, 2*time.Second, 30*time.Second
	s.LaneConcurrency = 16
	return s
}

// demo is a running demo, with everything in one process.
type demo struct {
	p      *process
	redis  redis.UniversalClient
	sim    *icimstest.Simulator
	ledger *store.Ledger
	client *tasks.Client
	links  admin.Links
	seen   *observed
	health *metrics.Health
}

// demoBatch is the result of one batch of the demo.
type demoBatch struct {
	Batch    store.BatchID `json:"batch"`
	Accepted int           `json:"accepted"`
	Refused  int           `json:"refused"`
	Created  int           `json:"created"`
	Updated  int           `json:"updated"`
	Skipped  int           `json:"skipped"`
	Dead     int           `json:"dead"`
	Calls    int           `json:"calls"`
	Seconds  float64       `json:"seconds"`

	refusals []input.Refusal
}

// demoSummary is the demo's JSON.
type demoSummary struct {
	Accepted  int `json:"accepted"`
	Refused   int `json:"refused"`
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Skipped   int `json:"skipped"`
	Dead      int `json:"dead"`
	Calls     int `json:"calls"`
	People    int `json:"people"`    // as counted by the simulator
	Workflows int `json:"workflows"` // as counted by the simulator
	// Violations are promises that the simulator saw broken.
	Violations []string    `json:"violations"`
	Batches    []demoBatch `json:"batches"`
}

// Run runs the demo.
func (c *demoCommand) Run(ctx context.Context, p *process) error {
	if c.Candidates < 10 || c.Candidates > 2000 {
		return usageError("--candidates must be a number from 10 to 2000")
	}
	client, closeRedis, err := startEmbeddedRedis()
	if err != nil {
		return err
	}
	defer closeRedis()
	keys, err := store.NewKeyset()
	if err != nil {
		return err
	}
	cast := c.cast()
	sim := icimstest.New(icimstest.Config{Seed: c.Seed})
	cast.settle(sim)
	server := icimstest.NewServer(sim)
	defer server.Close()
	hosts, err := icims.ParseHostPolicy(server.URL)
	if err != nil {
		return err
	}
	conn := demoConnection(server.PortalURL(demoCustomer, 1) + "," + server.PortalURL(demoCustomer, 2))
	ledger := store.NewLedger(client, keys)
	provider, flush, err := p.traces(ctx, p.logger(zerolog.WarnLevel))
	if err != nil {
		return err
	}
	defer flush()
	settings := demoSettings()
	settings.TaskRetention = p.settings.TaskRetention
	w := worker.New(client, ledger, settings, hosts, p.logger(zerolog.ErrorLevel))
	w.TraceTo(provider)
	added, err := ledger.Connections.Add(ctx, conn, "the demo", "to show how it works")
	if err != nil {
		return err
	}
	// The profile that a verification of the simulator would store.
	known := store.TenantProfile{VerifiedAt: time.Now().UnixMilli(), SearchOr: store.Yes, SeesPeople: store.Yes, ReadsPair: store.Yes, SeesFolder: store.Yes, KeepsStatus: store.Yes}
	if err := ledger.Connections.SaveProfile(ctx, added.Connection, added.Revision, known); err != nil {
		return err
	}
	noMore, err := followConnections(ctx, ledger, hosts, p.logger(zerolog.ErrorLevel), w)
	if err != nil {
		return err
	}
	defer noMore()
	serveControl(w, p.settings)
	seen, err := c.metrics(ctx, p)
	if err != nil {
		return err
	}
	defer seen.close()
	seen.redis(client)
	health := seen.countWorker(w, client, ledger, true)
	if err := w.Start(ctx); err != nil {
		return err
	}
	defer w.Stop()

	p.sayf("Demo: Redis, worker and a simulated iCIMS (%s) run inside this process. Nothing is kept.", server.URL)
	p.sayf("%d generated candidates go to job %d; %d of them already exist in iCIMS.\n", c.Candidates, demoJob, len(cast.known))
	d := demo{p: p, redis: client, sim: sim, ledger: ledger, client: tasks.NewClient(client, ledger, tasks.WithTraces(provider), tasks.WithTaskRetention(p.settings.TaskRetention)), links: admin.LinksOf(conn, hosts), seen: seen, health: health}
	first, err := d.export(ctx, "exporting", "demo-1", cast.rows)
	if err != nil {
		return err
	}
	again, err := d.export(ctx, "once more", "demo-2", cast.rows)
	if err != nil {
		return err
	}
	summary := d.summary(first, again)
	if c.JSON {
		return writeJSON(p.stdout, summary)
	}
	if err := d.print(ctx, summary, cast); err != nil || c.Exit {
		return err
	}
	return d.serve(ctx, hosts, server.URL, tasks.WithTraces(provider))
}

// metrics starts the metrics server, unless the demo ends before it could be scraped.
func (c *demoCommand) metrics(ctx context.Context, p *process) (*observed, error) {
	s := p.settings
	switch {
	case c.JSON || c.Exit:
		s.MetricsListen = ""
	case s.MetricsListen == "":
		s.MetricsListen = "127.0.0.1:0"
	}
	return openMetrics(ctx, s, p.logger(zerolog.ErrorLevel))
}

func demoConnection(portalURLs string) store.Connection {
	return store.Connection{
		Customer: demoCustomer, Username: demoUser, Password: demoPassword, PortalURLs: portalURLs, LinkedInField: "field51001",
		// Far more than iCIMS grants, to keep the demo short.
		Limits: store.Limits{CallsPerSecond: 150, Burst: 20, InFlight: 16, CallsPerDay: 1_000_000},
	}.WithDefaults()
}

const (
	demoUser     = "export-user"
	demoPassword = "made-up"
)

// demoCast are the demo's candidates.
type demoCast struct {
	rows  []input.Candidate // in batch order, with bad rows in between
	known []input.Candidate // already in iCIMS
}

func (c *demoCommand) cast() demoCast {
	m := newCandidateGenerator(c.Seed)
	var cast demoCast
	for range c.Candidates {
		cast.rows = append(cast.rows, m.candidate())
	}
	const tenth = 10
	for i, candidate := range cast.rows {
		if i%tenth == 3 {
			cast.known = append(cast.known, candidate)
		}
	}
	for i, bad := range m.badRows(cast.rows[0]) {
		cast.rows = slices.Insert(cast.rows, (i+1)*c.Candidates/6, bad)
	}
	return cast
}

// settle adds the known candidates to the simulator.
func (c demoCast) settle(sim *icimstest.Simulator) {
	cfg := icimstest.DemoTenant(demoCustomer, demoUser, demoPassword)
	cfg.DailyLimit = 1_000_000
	tenant := sim.AddTenant(cfg)
	sim.AddTenant(icimstest.DemoTenant(demoFresh, demoUser, demoPassword))
	for _, candidate := range c.known {
		tenant.AddPerson(asPerson(candidate))
	}
}

// export exports candidates and waits for the result.
func (d *demo) export(ctx context.Context, name, key string, rows []input.Candidate) (demoBatch, error) {
	calls, started := d.sim.CallCount(), time.Now()
	receipt, err := d.client.Enqueue(ctx, input.Batch{
		Customer: demoCustomer, Target: input.ToJob(demoJob), IdempotencyKey: key, Candidates: input.Candidates(rows...),
	})
	if err != nil {
		return demoBatch{}, demoFailed(ctx, err)
	}
	f := follower{p: d.p, ledger: d.ledger, batch: receipt.Batch, progress: newProgress(d.p), name: name}
	b, err := f.follow(ctx)
	if err != nil {
		return demoBatch{}, demoFailed(ctx, err)
	}
	return demoBatch{
		Batch: receipt.Batch, Accepted: b.Accepted, Refused: len(receipt.Refused), Created: b.Created, Updated: b.Updated, Skipped: b.Skipped, Dead: b.Dead,
		Calls: d.sim.CallCount() - calls, Seconds: time.Since(started).Round(10 * time.Millisecond).Seconds(), refusals: receipt.Refused,
	}, nil
}

func demoFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return failed("the demo was stopped")
	}
	return failed("the demo failed (%s): report it with the seed", rootCause(err))
}

func (d *demo) summary(batches ...demoBatch) demoSummary {
	seen := d.sim.Invariants()
	s := demoSummary{Batches: batches, People: seen.People, Workflows: seen.Workflows, Violations: seen.Violations()}
	if s.Violations == nil {
		s.Violations = []string{}
	}
	for _, b := range batches {
		s.Accepted += b.Accepted
		s.Refused += b.Refused
		s.Created += b.Created
		s.Updated += b.Updated
		s.Skipped += b.Skipped
		s.Dead += b.Dead
		s.Calls += b.Calls
	}
	return s
}
