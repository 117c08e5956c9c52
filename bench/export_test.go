package bench_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// concurrency is the number of concurrent exports on each side.
const concurrency = 16

// run is the cost of one run of one side.
type run struct {
	seconds float64
	cpu     cpu
	calls   int   // to iCIMS
	queue   int64 // Redis round trips of asynq, in the producer and the worker
	ledger  int64 // Redis round trips of the ledger, in both
}

// BenchmarkExport compares the worker with a bare asynq handler that makes the same two calls.
func BenchmarkExport(b *testing.B) {
	server, sim := redistest.Start(b), startSimulator(b, caseSensitive)
	learnServer(b, server.Client(b))
	for b.Loop() {
		bare, ours := compareExport(b, server, sim, *rounds, *exports, 0)
		perSecond := func(r run) float64 { return float64(*exports) / r.seconds }
		each := func(n int64) float64 { return float64(n) / float64(*exports) }

		results.Note("candidate as JSON", figures.Exactly(jsonSize(b, people(1, *exports))), "%.0f", " B")
		results.Note("exports/s, bare asynq handler", of(bare, perSecond), "%.0f", "")
		results.Note("exports/s, worker with ledger", of(ours, perSecond), "%.0f", "")
		results.Note("worker : bare handler", of(ours, perSecond).Per(of(bare, perSecond)), "%.2f", "")
		// Unlike elapsed time, this hardly depends on other load.
		all := func(r run) float64 { return r.cpu.self + r.cpu.redis + r.cpu.simulator }
		results.Note("  the same by processor time, all processes", of(bare, all).Per(of(ours, all)), "%.2f", "")
		judge(b, "CPU of worker and Redis per export", of(ours, func(r run) float64 { return milliseconds(r.cpu.self+r.cpu.redis) / float64(*exports) }), figures.AtMost(0.9, " ms", "%.2f"), "CPU-ms/export")
		noteCPU("  by process", ours)
		noteCPU("  bare handler", bare)
		judge(b, "iCIMS calls per candidate", callsIgnoringCase(b, server), figures.AtMost(2.03, "", "%.3f"), "calls/export")
		results.Note("  if exact search is case-sensitive", of(ours, func(r run) float64 { return each(int64(r.calls)) }), "%.3f", "")
		results.Note("  if the connection was never verified", callsUnverified(b, server), "%.3f", "")

		queueOf := func(r run) float64 { return each(r.queue) }
		both := func(r run) float64 { return each(r.queue + r.ledger) }
		results.Note("Redis round trips per export beyond bare asynq's", of(ours, both).Minus(of(bare, queueOf)), "%.2f", "")
		results.Note("  bare: enqueue, dequeue, done", of(bare, queueOf), "%.2f", "")
		results.Note("  ours: asynq's", of(ours, queueOf), "%.2f", "")
		results.Note("  ours: the ledger's", of(ours, func(r run) float64 { return each(r.ledger) }), "%.2f", "")

		const shorter = 3
		bare, ours = compareExport(b, server, sim, few, *exports/shorter, away)
		results.Note("worker : bare handler, Redis 0.5 ms away", of(ours, perSecond).Per(of(bare, perSecond)), "%.2f", "")
	}
}

// callsIgnoringCase counts the calls per candidate of a customer whose exact search ignores case. A
// worker detects that once a person is old enough for searches.
func callsIgnoringCase(b *testing.B, server *redistest.Server) figures.Sample {
	b.Helper()
	sim := startSimulator(b, ignoresCase)
	var s figures.Sample
	for i := range few {
		sim.reset(b)
		r := runWorker(b, server, sim, people(i, *exports), 0, func(s *worker.Settings) { s.SettleTime = 50 * time.Millisecond })
		s = append(s, float64(r.calls)/float64(*exports))
	}
	return s
}

// callsUnverified counts the calls per candidate of an unverified connection: each address is
// searched individually, and again for other cases.
func callsUnverified(b *testing.B, server *redistest.Server) figures.Sample {
	b.Helper()
	sim := startSimulator(b, caseSensitive)
	sim.unverified = true
	n := *exports / 10
	var s figures.Sample
	for i := range few {
		sim.reset(b)
		s = append(s, float64(runWorker(b, server, sim, people(i, n), 0).calls)/float64(n))
	}
	return s
}

// compareExport exports n candidates on both sides, in turns.
func compareExport(b *testing.B, server *redistest.Server, sim *simulator, rounds, n int, longer time.Duration) (bare, ours []run) {
	b.Helper()
	for i := range rounds + 1 {
		candidates := people(i, n)
		sim.reset(b)
		plain := runBare(b, server, sim, candidates, longer)
		sim.reset(b)
		full := runWorker(b, server, sim, candidates, longer)
		if i > 0 { // the first warms up caches and heaps
			bare, ours = append(bare, plain), append(ours, full)
		}
	}
	return bare, ours
}

func of(runs []run, figure func(run) float64) figures.Sample {
	var s figures.Sample
	for _, r := range runs {
		s = append(s, figure(r))
	}
	return s
}

// noteCPU adds the processor time by process.
func noteCPU(name string, runs []run) {
	each := func(pick func(cpu) float64) float64 {
		return milliseconds(of(runs, func(r run) float64 { return pick(r.cpu) }).Median()) / float64(*exports)
	}
	results.Say(name, fmt.Sprintf("%.2f ms, Redis %.2f ms, simulator %.2f ms",
		each(func(c cpu) float64 { return c.self }), each(func(c cpu) float64 { return c.redis }), each(func(c cpu) float64 { return c.simulator })))
}

func milliseconds(seconds float64) float64 { return 1000 * seconds }

func connection(sim *simulator) store.Connection {
	const unlimited = 1_000_000_000
	c := store.Connection{
		Customer: customer, Username: username, Password: password,
		PortalURLs: sim.portal(), LinkedInField: "field51001",
		Limits: store.Limits{CallsPerSecond: unlimited, Burst: unlimited, InFlight: concurrency, CallsPerDay: unlimited},
	}.WithDefaults()
	if !sim.unverified {
		c.Profile = testrig.Verified()
	}
	return c
}

// runWorker exports queued candidates with a worker.
func runWorker(b *testing.B, server *redistest.Server, sim *simulator, candidates []input.Candidate, longer time.Duration, change ...func(*worker.Settings)) run {
	b.Helper()
	watch := emptied(b, server)
	keys, err := store.NewKeyset()
	if err != nil {
		b.Fatal(err)
	}
	// A worker uses one client for both; two clients separate the round trips.
	queueClient, queueTrips := countedClient(b, server, longer)
	ledgerClient, ledgerTrips := countedClient(b, server, longer)
	ledger := store.NewLedger(ledgerClient, keys)

	queueTrips.Store(0)
	ledgerTrips.Store(0)
	receipt, err := tasks.NewClient(queueClient, ledger).Enqueue(b.Context(), input.Batch{
		Customer: customer, Target: input.ToJob(job), Candidates: input.Candidates(candidates...),
	})
	if err != nil || receipt.Accepted != len(candidates) {
		b.Fatalf("%d of %d accepted, %v", receipt.Accepted, len(candidates), err)
	}

	settings := worker.DefaultSettings()
	settings.LaneConcurrency = concurrency
	for _, c := range change {
		c(&settings)
	}
	hosts, err := icims.ParseHostPolicy(sim.url)
	if err != nil {
		b.Fatal(err)
	}
	w := worker.New(queueClient, ledger, settings, hosts, zerolog.Nop())
	w.SetConnections([]store.Connection{connection(sim)})
	observer := store.NewLedger(watch, keys)

	spent := cpuOf(b, watch, sim)
	start := time.Now()
	if err := w.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	// Each poll costs processor time, so there are few.
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for range poll.C {
		state, err := observer.Batches.Get(b.Context(), receipt.Batch)
		if err != nil {
			b.Fatal(err)
		}
		if state.Moving() == 0 {
			if state.Created != len(candidates) {
				b.Fatalf("not all were created: %+v", state)
			}
			break
		}
	}
	seconds := time.Since(start).Seconds()
	r := run{
		seconds: seconds, cpu: cpuOf(b, watch, sim).since(spent), calls: sim.holds(b, len(candidates)),
		queue: queueTrips.Load(), ledger: ledgerTrips.Load(),
	}
	w.Stop()
	return r
}

// emptied returns an uncounted client of the server, after emptying it.
func emptied(b *testing.B, server *redistest.Server) redis.UniversalClient {
	b.Helper()
	client := server.Client(b)
	if err := client.FlushAll(b.Context()).Err(); err != nil {
		b.Fatal(err)
	}
	return client
}
