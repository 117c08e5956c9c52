package metrics_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/metrics"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(redistest.Main(m)) }

const (
	customer = "1234"
	password = "correct horse battery staple"
)

// rig is a worker with metrics, its Redis and a simulated iCIMS.
type rig struct {
	t        *testing.T
	sim      *icimstest.Simulator
	client   redis.UniversalClient
	ledger   *store.Ledger
	producer *tasks.Client
	worker   *worker.Worker
	health   *metrics.Health
	registry *prometheus.Registry
}

func newRig(t *testing.T, c icimstest.Config, byCustomer bool) *rig {
	t.Helper()
	r := &rig{t: t, sim: icimstest.New(c), client: redistest.Start(t).Client(t), registry: metrics.NewRegistry()}
	tenant := icimstest.DemoTenant(customer, "export-user", password)
	tenant.DailyLimit = 1_000_000
	r.sim.AddTenant(tenant)
	server := icimstest.NewServer(r.sim)
	t.Cleanup(server.Close)
	hosts, err := icims.ParseHostPolicy(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	metrics.WatchRedis(r.registry, r.client)
	r.ledger = store.NewLedger(r.client, keys)
	r.producer = tasks.NewClient(r.client, r.ledger)
	settings := worker.DefaultSettings()
	settings.LaneConcurrency, settings.CallTimeout, settings.SettleTime, settings.Lease = 20, time.Second, 1200*time.Millisecond, 3*time.Second
	settings.RetryMin, settings.RetryMax = 10*time.Millisecond, 50*time.Millisecond
	r.worker = worker.New(r.client, r.ledger, settings, hosts, zerolog.Nop())
	r.worker.SetConnections([]store.Connection{{
		Customer: customer, Username: "export-user", Password: password, PortalURLs: server.PortalURL(customer, 1),
		Limits:  store.Limits{CallsPerSecond: 100_000, Burst: 1000, InFlight: 16, CallsPerDay: 1_000_000},
		Profile: testrig.Verified(),
	}})
	r.worker.Observe(metrics.NewWorkerMetrics(r.registry, r.worker.Vitals))
	r.health = &metrics.Health{Redis: r.client, Writes: newWrites(r.ledger), Lanes: r.worker.Ready, Alive: r.worker.Alive}
	admin := admin.New(admin.Config{Redis: r.client, Ledger: r.ledger})
	r.registry.MustRegister(r.health, metrics.NewFleet(admin, func() bool { return r.worker.Vitals().Leads }, byCustomer))
	return r
}

func (r *rig) start() {
	r.t.Helper()
	if err := r.worker.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.worker.Stop)
}

func (r *rig) eventually(what string, holds func() bool) {
	r.t.Helper()
	testrig.Eventually(r.t, what, holds)
}

// send submits a batch.
func send(t *testing.T, producer *tasks.Client, customer string, candidates ...input.Candidate) store.BatchID {
	t.Helper()
	receipt, err := producer.Enqueue(t.Context(), input.Batch{Customer: customer, Target: input.ToJob(1701), Candidates: input.Candidates(candidates...)})
	if err != nil {
		t.Fatal(err)
	}
	if len(receipt.Refused) > 0 {
		t.Fatalf("refused: %+v", receipt.Refused[0])
	}
	return receipt.Batch
}

// finished waits until a batch has ended.
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

// people returns candidates with data that must never be exported.
func people(n int) []input.Candidate {
	all := make([]input.Candidate, n)
	for i := range all {
		all[i] = input.Candidate{
			ID: fmt.Sprintf("cand-%06d", i), FirstName: "Ana", LastName: "Duarte", Email: fmt.Sprintf("person-%06d@example.com", i),
			Phones:         []input.Phone{{Number: fmt.Sprintf("+1 425 555 0143 x%d", i), Type: "mobile"}},
			WorkExperience: []input.WorkExperience{{Employer: "Contoso", Title: "Data Engineer", Start: "2021-03"}},
		}
	}
	return all
}

var personalData = []string{"Ana", "Duarte", "cand-0", "person-0", "example.com", "425 555", "4255550143", "Contoso", "export-user", password}

// families gathers the metrics by name.
func families(t *testing.T, g prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]*dto.MetricFamily, len(all))
	for _, f := range all {
		byName[f.GetName()] = f
	}
	return byName
}

// text returns everything that Prometheus would scrape.
func text(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	var b bytes.Buffer
	for _, f := range families(t, g) {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// value sums the series of a metric whose labels have the values, given as name=value.
func value(t *testing.T, g prometheus.Gatherer, name string, labels ...string) float64 {
	t.Helper()
	sum := 0.0
	for _, m := range families(t, g)["icims_export_"+name].GetMetric() {
		have := make([]string, len(m.GetLabel()))
		for i, l := range m.GetLabel() {
			have[i] = l.GetName() + "=" + l.GetValue()
		}
		if slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(have, l) }) {
			continue
		}
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return sum
}

func newLedger(t *testing.T, client redis.UniversalClient) *store.Ledger {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return store.NewLedger(client, keys)
}

func newWrites(ledger *store.Ledger) *store.WriteProbe {
	return store.NewWriteProbe(ledger.Checks.Writable, time.Now)
}

func has(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(text, p) })
}
