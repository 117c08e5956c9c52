package flows

import (
	"context"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/api/console"
	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/verify"
	"github.com/seekout/icims-export/worker"
)

const (
	customer = "1234"
	other    = "5678"
	user     = "export-user"
	password = "made-up"
	job      = 1709
)

// service is everything behind the console: an API, a worker, a Redis, and a simulated iCIMS.
type service struct {
	t      *testing.T
	url    string
	redis  redis.UniversalClient
	ledger *store.Ledger
	sim    *icimstest.Simulator
	icims  *icimstest.Server
	gate   *gate
}

// hurried are worker settings with short retry delays. Calls may take long.
func hurried() worker.Settings {
	s := worker.DefaultSettings()
	s.CallTimeout, s.SettleTime, s.Lease, s.ShutdownTimeout = patience, patience+time.Second, 2*patience, 8*time.Second
	s.RetryMin, s.RetryMax, s.RetryBudget = 100*time.Millisecond, time.Second, 30*time.Second
	return s
}

// newService starts a service without connections. change may change the console's options.
func newService(t *testing.T, change ...func(*service, *console.Options)) *service {
	t.Helper()
	browser(t) // skip before starting the rest
	client := redistest.Start(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, redis: client, ledger: store.NewLedger(client, keys), gate: &gate{}}
	s.sim = icimstest.New(icimstest.Config{
		Seed: 1, Latency: icimstest.Latency{None: true}, Quirks: icimstest.Quirks{None: true}, Sleep: s.gate.wait,
	})
	for _, c := range []string{customer, other} {
		s.sim.AddTenant(icimstest.DemoTenant(c, user, password))
	}
	s.icims = icimstest.NewServer(s.sim)
	t.Cleanup(s.icims.Close)
	t.Cleanup(s.gate.open)
	hosts, err := icims.ParseHostPolicy(s.icims.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := worker.New(client, s.ledger, hurried(), hosts, zerolog.Nop())
	egress := []string{"192.0.2.7", "192.0.2.8"}
	w.ServeControl(store.ControlVerify, verify.Verifier{Egress: egress}.Work())
	source := connections.NewSource(s.ledger, hosts, zerolog.Nop(), w.SetConnections)
	if err := source.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { source.Run(ctx, nil) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		w.Stop()
	})
	if err := w.Start(ctx); err != nil {
		t.Fatal(err)
	}
	log := &faults{t: t}
	server, err := api.New(api.Deps{
		Redis: client, Ledger: s.ledger, Producer: tasks.NewClient(client, s.ledger), Hosts: hosts,
		// Tests click faster than people.
		Settings: api.Settings{EgressAddresses: egress, KeyRate: 1000, KeyBurst: 1000}, Log: zerolog.New(log).Level(zerolog.ErrorLevel),
	})
	if err != nil {
		t.Fatal(err)
	}
	o := console.Options{API: server, Keys: keys, Version: "1.0", Log: zerolog.New(log).Level(zerolog.ErrorLevel)}
	for _, c := range change {
		c(s, &o)
	}
	pages, err := console.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server.Mount(pages)
	listening := httptest.NewServer(server.Handler())
	t.Cleanup(func() {
		server.Close()
		listening.CloseClientConnections()
		listening.Close()
	})
	s.url = listening.URL
	return s
}

// faults fails the test on internal errors of the service.
type faults struct{ t *testing.T }

func (f *faults) Write(line []byte) (int, error) {
	f.t.Errorf("the service's log: %s", line)
	return len(line), nil
}

// key creates an API key; without customers it is valid for all.
func (s *service) key(scope api.Scope, customers ...string) string {
	s.t.Helper()
	name := map[api.Scope]string{api.ScopeAdmin: "Maria", api.ScopeOperate: "Kim", api.ScopeExport: "Eva", api.ScopeRead: "Tom"}[scope]
	_, token, err := s.ledger.Access.NewAPIKey(s.t.Context(), store.APIKey{Name: name, Scopes: []string{string(scope)}, Customers: customers, By: "a test"}, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// login returns a logged-in browser tab.
func (s *service) login(scope api.Scope, customers ...string) *tab {
	s.t.Helper()
	b := open(s.t, s.url)
	b.logIn(s.key(scope, customers...))
	return b
}

func (b *tab) logIn(key string) {
	b.t.Helper()
	b.visit("/login")
	b.fill("API key", key)
	b.goes("Log in")
}

// connect adds the customer's connection.
func (s *service) connect(change ...func(*store.Connection)) {
	s.t.Helper()
	c := store.Connection{
		Customer: customer, Username: user, Password: password, PortalURLs: s.icims.PortalURL(customer, 1), LinkedInField: "field51001",
	}
	for _, f := range change {
		f(&c)
	}
	added, err := s.ledger.Connections.Add(s.t.Context(), c.WithDefaults(), "a test", "")
	if err != nil {
		s.t.Fatal(err)
	}
	testrig.Verify(s.t, s.ledger, added.Connection, added.Revision)
}

// gate holds calls of the simulator that a rule delays, until it is opened.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil while open
}

// close makes delayed calls wait.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
}

// open releases waiting and later calls.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

func (g *gate) wait(ctx context.Context, _ time.Duration) error {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed == nil {
		return ctx.Err()
	}
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hold closes the gate for calls about people with this email.
func (s *service) hold(route, email string) {
	s.gate.close()
	s.sim.AddRule(icimstest.Rule{Customer: customer, Route: route, Email: email, Times: -1, Fault: icimstest.Slow, Delay: time.Hour})
}
