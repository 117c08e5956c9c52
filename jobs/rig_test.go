package jobs_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(redistest.Main(m)) }

const (
	customer = "1234"
	password = "correct horse battery staple"
)

// rig is a customer with jobs in a simulated iCIMS, and a Redis. The test runs the refreshes, at
// the time of its clock.
type rig struct {
	t      *testing.T
	sim    *icimstest.Simulator
	tenant *icimstest.Tenant
	redis  redis.UniversalClient
	ledger *store.Ledger
	client *icims.Client
	hosts  icims.HostPolicy
	conn   store.Connection
	lister *jobs.Lister
	budget int
	held   store.Reason

	clock *testrig.Clock
	calls atomic.Int64
	slept atomic.Int64
}

// start is when the tests begin, long after the last change of a job.
var start = time.Date(2026, 11, 3, 9, 30, 0, 0, time.UTC)

func newRig(t *testing.T, portals ...int) *rig {
	t.Helper()
	r := &rig{t: t, clock: testrig.ClockAt(start), budget: 100_000}
	r.sim = icimstest.New(icimstest.Config{Seed: 3, Latency: icimstest.Latency{None: true}, Now: r.clock.Now})
	r.tenant = r.sim.AddTenant(icimstest.TenantConfig{Customer: customer, Username: "export-user", Password: password, DailyLimit: 1_000_000})
	server := icimstest.NewServer(r.sim)
	t.Cleanup(server.Close)
	var err error
	if r.hosts, err = icims.ParseHostPolicy(server.URL); err != nil {
		t.Fatal(err)
	}
	if len(portals) == 0 {
		portals = []int{1}
	}
	urls := ""
	for _, p := range portals {
		r.tenant.AddPortal(p, fmt.Sprintf("portal-%d", p))
		urls += server.PortalURL(customer, p) + ","
	}
	r.conn = store.Connection{Customer: customer, Username: "export-user", Password: password, PortalURLs: urls}.WithDefaults()
	parsed, err := icims.ParsePortalURLsOf(customer, urls, r.hosts)
	if err != nil {
		t.Fatal(err)
	}
	count := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			r.calls.Add(1)
			return next.RoundTrip(req)
		})
	}
	r.client, err = icims.New(parsed[0].Root, customer, icims.Basic("export-user", password), icims.WithHosts(r.hosts), icims.WithMiddleware(count))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.client.CloseIdleConnections)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	r.redis = redistest.Shared(t).Client(t)
	r.ledger = store.NewLedger(r.redis, keys)
	if _, err := r.ledger.Connections.Add(t.Context(), r.conn, "joe", "test"); err != nil {
		t.Fatal(err)
	}
	r.enteredAt(start.Add(-time.Hour))
	r.lister = &jobs.Lister{Ledger: r.ledger, Hosts: r.hosts, Settings: jobs.DefaultSettings(), Now: r.clock.Now, Request: r.ledger.Control.Record}
	return r
}

// enteredAt sets when the connection's settings were changed, by the test's clock: Redis has its
// own.
func (r *rig) enteredAt(at time.Time) {
	r.t.Helper()
	if err := r.redis.HSet(r.t.Context(), "ix:{"+customer+"}:conn", "at", at.UnixMilli(), "since", at.UnixMilli()).Err(); err != nil {
		r.t.Fatal(err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// post posts jobs with IDs starting at from, last changed the day before.
func (r *rig) post(from int64, n int, portals ...int) {
	for i := range int64(n) {
		r.tenant.AddJob(icimstest.Job{
			ID: from + i, Title: fmt.Sprintf("Engineer, Team %d", from+i), Number: fmt.Sprintf("2026-%d", from+i), Location: "Lisbon",
			Portals: portals, Updated: start.Add(-24 * time.Hour),
		})
	}
}

// refresh runs a refresh as a worker does. It returns the result and the number of calls the
// simulator received.
func (r *rig) refresh() (jobs.RefreshResult, int) {
	r.t.Helper()
	done, err := r.refreshOf(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	calls := r.sim.CallCount()
	r.sim.ResetCalls()
	return done, calls
}

func (r *rig) refreshOf(ctx context.Context) (jobs.RefreshResult, error) {
	portals, err := icims.ParsePortalURLsOf(customer, r.conn.PortalURLs, r.hosts)
	if err != nil {
		r.t.Fatal(err)
	}
	refresh := jobs.Refresh{
		Ledger: r.ledger, Customer: customer, Portals: jobs.PortalNames(portals), List: r.client, Titles: r.client,
		Calls: func() int { return int(r.calls.Load()) }, Budget: r.budget, Now: r.clock.Now,
		Held: func(context.Context) (store.Reason, error) { return r.held, nil },
		Sleep: func(_ context.Context, d time.Duration) error {
			r.slept.Add(int64(d))
			return nil
		},
	}
	return refresh.Run(ctx)
}

func (r *rig) list(q jobs.Query) jobs.ListPage {
	r.t.Helper()
	a, err := r.lister.List(r.t.Context(), customer, q)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func titles(a jobs.ListPage) []string {
	list := []string{}
	for _, j := range a.Jobs {
		list = append(list, j.Title)
	}
	slices.Sort(list)
	return list
}
