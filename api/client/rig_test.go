package client_test

import (
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/api/client"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(redistest.Main(m)) }

const customer = "1234"

// rig is an API with its Redis and a connection to a simulated iCIMS, without a worker.
type rig struct {
	*client.Client
	t      *testing.T
	ledger *store.Ledger
	redis  redis.UniversalClient
	work   func() // starts a worker
	// portals names the connection's portals in job lists.
	portals string
	// handler can be replaced, to intercept requests.
	handler http.Handler
	http    *httptest.Server
}

func newRig(t *testing.T, change ...func(*api.Deps)) *rig {
	t.Helper()
	redisClient := redistest.Start(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	sim := icimstest.New(icimstest.Config{Seed: 1})
	tenant := icimstest.DemoTenant(customer, "export-user", "made-up")
	tenant.DailyLimit = 1_000_000
	sim.AddTenant(tenant)
	icimsServer := icimstest.NewServer(sim)
	t.Cleanup(icimsServer.Close)
	hosts, err := icims.ParseHostPolicy(icimsServer.URL)
	if err != nil {
		t.Fatal(err)
	}
	ledger := store.NewLedger(redisClient, keys)
	conn := store.Connection{
		Customer: customer, Username: "export-user", Password: "made-up", PortalURLs: icimsServer.PortalURL(customer, 1),
		Limits:  store.Limits{CallsPerSecond: 500, Burst: 50, InFlight: 16, CallsPerDay: 1_000_000},
		Profile: testrig.Verified(),
	}.WithDefaults()
	if _, err := ledger.Connections.Add(t.Context(), conn, "a test", ""); err != nil {
		t.Fatal(err)
	}
	deps := api.Deps{Redis: redisClient, Ledger: ledger, Producer: tasks.NewClient(redisClient, ledger), Hosts: hosts, Log: zerolog.Nop()}
	for _, c := range change {
		c(&deps)
	}
	server, err := api.New(deps)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, ledger: ledger, redis: redisClient, handler: server.Handler()}
	r.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.handler.ServeHTTP(w, q) }))
	t.Cleanup(func() {
		server.Close()
		r.http.Client().CloseIdleConnections()
		r.http.Close()
	})
	r.Client = r.with(r.key("admin"))
	portals, err := icims.ParsePortalURLsOf(customer, conn.PortalURLs, hosts)
	if err != nil {
		t.Fatal(err)
	}
	r.portals = jobs.PortalsHash(ledger, customer, jobs.PortalNames(portals))
	r.work = func() {
		w := worker.New(redisClient, ledger, worker.DefaultSettings(), hosts, zerolog.Nop())
		w.SetConnections([]store.Connection{conn})
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Stop)
	}
	return r
}

// direct returns a client that submits without the API.
func (r *rig) direct() *tasks.Client { return tasks.NewClient(r.redis, r.ledger) }

func (r *rig) key(scope string) string {
	r.t.Helper()
	_, token, err := r.ledger.Access.NewAPIKey(r.t.Context(), store.APIKey{Name: "a test", Scopes: []string{scope}, By: "a test"}, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

func (r *rig) with(key string) *client.Client {
	r.t.Helper()
	c, err := client.New(r.http.URL, key, client.WithHTTPClient(r.http.Client()), client.Strictly())
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func candidate(i int) input.Candidate {
	return input.Candidate{ID: fmt.Sprintf("c-%05d", i), FirstName: "Ottoline", LastName: "Quillfeather", Email: fmt.Sprintf("ottoline-%d@example.com", i)}
}

func many(n int) iter.Seq2[input.Candidate, error] {
	return func(yield func(input.Candidate, error) bool) {
		for i := range n {
			if !yield(candidate(i), nil) {
				return
			}
		}
	}
}
