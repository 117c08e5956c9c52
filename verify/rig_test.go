package verify_test

import (
	"context"
	"encoding/json"
	"flag"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/verify"
	"github.com/seekout/icims-export/worker"
	"github.com/seekout/icims-export/worker/control"
)

func TestMain(m *testing.M) {
	// Verifications mostly wait for a worker to poll.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(redistest.Main(m))
}

const (
	customer = "1234"
	password = "correct horse battery staple"
)

// rig is a worker that verifies connections against a simulated iCIMS.
type rig struct {
	t        *testing.T
	sim      *icimstest.Simulator
	tenant   *icimstest.Tenant
	redis    redis.UniversalClient
	ledger   *store.Ledger
	producer *tasks.Client
	worker   *worker.Worker
	logs     *testrig.Log
	passed   atomic.Int64 // how far the clock of verifications and simulator is ahead
	resting  func() error // called at the start of each rest; may be nil
}

// now is the clock of simulator and verifications: rests take no time.
func (r *rig) now() time.Time { return time.Now().Add(time.Duration(r.passed.Load())) }

func (r *rig) rest(_ context.Context, _ *control.Run, d time.Duration) error {
	if r.resting != nil {
		if err := r.resting(); err != nil {
			return err
		}
	}
	r.passed.Add(int64(d))
	return nil
}

type rigOptions struct {
	tenant  func(*icimstest.TenantConfig)
	conn    func(*store.Connection)
	stopped bool
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	r := &rig{t: t, logs: &testrig.Log{}}
	r.sim = icimstest.New(icimstest.Config{Now: r.now, Latency: icimstest.Latency{None: true}, Quirks: icimstest.Quirks{None: true}})
	tenant := icimstest.DemoTenant(customer, "export-user", password)
	if o.tenant != nil {
		o.tenant(&tenant)
	}
	r.tenant = r.sim.AddTenant(tenant)
	server := icimstest.NewServer(r.sim)
	t.Cleanup(server.Close)
	r.redis = redistest.Start(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	r.ledger = store.NewLedger(r.redis, keys)
	r.producer = tasks.NewClient(r.redis, r.ledger)
	conn := store.Connection{
		Customer: customer, Username: "export-user", Password: password, LinkedInField: "field51001",
		PortalURLs: server.PortalURL(customer, 1) + "," + server.PortalURL(customer, 2),
		Limits:     store.Limits{CallsPerSecond: 1000, Burst: 100, InFlight: 8},
	}
	if o.conn != nil {
		o.conn(&conn)
	}
	stored, err := r.ledger.Connections.Add(t.Context(), conn, "maria", "")
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := icims.ParseHostPolicy(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	settings := worker.DefaultSettings()
	settings.ShutdownTimeout, settings.SettleTime = 5*time.Second, 500*time.Millisecond
	settings.RetryMin, settings.RetryMax, settings.CallTimeout = 10*time.Millisecond, 50*time.Millisecond, 2*time.Second
	r.worker = worker.New(r.redis, r.ledger, settings, hosts, zerolog.New(r.logs))
	r.use(stored)
	r.worker.ServeControl(store.ControlVerify, verify.Verifier{Egress: []string{"192.0.2.7", "192.0.2.8"}, Now: r.now, Rest: r.rest}.Work())
	if !o.stopped {
		r.start()
	}
	return r
}

// use gives the worker a connection, as its reload does.
func (r *rig) use(stored store.StoredConnection) {
	conn := stored.WithDefaults()
	conn.Stored = true
	r.worker.SetConnections([]store.Connection{conn})
}

// useConnection gives the worker the connection with its current profile.
func (r *rig) useConnection() { r.use(r.connection()) }

func (r *rig) start() {
	r.t.Helper()
	if err := r.worker.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.worker.Stop)
}

func (r *rig) ask(args verify.Args) store.ControlTask {
	r.t.Helper()
	e, _, err := tasks.RequestControl(r.t.Context(), r.redis, r.ledger, customer, store.ControlVerify, args, "maria")
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// verify requests a verification and waits for its end.
func (r *rig) verify(args verify.Args) verify.Report {
	r.t.Helper()
	return r.ended(r.ask(args))
}

// ended waits for the end of a verification.
func (r *rig) ended(e store.ControlTask) verify.Report {
	r.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !e.State.Ended() {
		var err error
		if e, err = r.ledger.Control.Await(r.t.Context(), e); err != nil || time.Now().After(deadline) {
			r.t.Fatalf("it does not end: %v, %+v\n%s", err, e, r.logs.String())
		}
	}
	report, err := verify.Read(e)
	if err != nil || e.State != store.ControlDone {
		r.t.Fatalf("%+v, %v\n%s", e, err, r.logs.String())
	}
	return report
}

// eventually polls until the condition holds.
func (r *rig) eventually(what string, holds func() bool) {
	r.t.Helper()
	testrig.Eventually(r.t, what, holds, r.logs)
}

func (r *rig) connection() store.StoredConnection {
	r.t.Helper()
	c, err := r.ledger.Connections.Get(r.t.Context(), customer)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// checkStates returns the checks of a report as "name subject: state code".
func checkStates(report verify.Report) map[string]string {
	all := map[string]string{}
	for _, c := range report.Checks {
		name, text := string(c.Name), string(c.State)
		if c.Subject != "" {
			name += " " + c.Subject
		}
		if c.Code != "" {
			text += " " + string(c.Code)
		}
		all[name] = text
	}
	return all
}

func shown(report verify.Report) string {
	data, err := json.MarshalIndent(report, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(data)
}
