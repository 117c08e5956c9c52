package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
	"github.com/seekout/icims-export/worker/control"
)

// fleet is a deployment of several workers and customers in one process.
type fleet struct {
	*rig
	server  *redistest.Server
	conns   []store.Connection
	members []*member
	kinds   map[store.ControlKind]control.Work
}

// member is one worker, with its own connection to Redis and its own log.
type member struct {
	*worker.Worker
	t    *testing.T
	logs *testrig.Log
	cut  *cutConnection
	id   string
}

// newFleet returns a fleet without workers. Customers are "1001", "1002", ...
func newFleet(t *testing.T, customers int, conn func(*store.Connection)) *fleet {
	t.Helper()
	f := &fleet{rig: &rig{t: t, sim: icimstest.New(calm()), logs: &testrig.Log{}}}
	f.rig.server = icimstest.NewServer(f.sim)
	t.Cleanup(f.rig.server.Close)
	for i := range customers {
		tenant := icimstest.DemoTenant(fmt.Sprint(1001+i), "export-user", password)
		tenant.DailyLimit = 1_000_000
		f.sim.AddTenant(tenant)
		c := store.Connection{
			Customer: tenant.Customer, Username: "export-user", Password: password, PortalURLs: f.rig.server.PortalURL(tenant.Customer, 1),
			Limits:  store.Limits{CallsPerSecond: 1000, Burst: 100, InFlight: 16, CallsPerDay: 1_000_000},
			Profile: testrig.Verified(),
		}
		if conn != nil {
			conn(&c)
		}
		f.conns = append(f.conns, c)
	}
	f.server = redistest.Start(t)
	f.redis = f.server.Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	f.ledger = store.NewLedger(f.redis, keys)
	f.producer = tasks.NewClient(f.redis, f.ledger)
	return f
}

// unreachableURL is an origin on which no server listens.
const unreachableURL = "http://127.0.0.1:1"

// cutOff are the customers' connections of a worker that cannot reach iCIMS.
func (f *fleet) cutOff() []store.Connection {
	conns := slices.Clone(f.conns)
	for i := range conns {
		conns[i].PortalURLs = strings.ReplaceAll(conns[i].PortalURLs, f.rig.server.URL, unreachableURL)
	}
	return conns
}

// join starts another worker.
func (f *fleet) join(change func(*worker.Settings), conns ...store.Connection) *member {
	f.t.Helper()
	m := &member{t: f.t, logs: &testrig.Log{}, cut: &cutConnection{}}
	client := redis.NewClient(&redis.Options{Addr: f.server.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true})
	client.AddHook(m.cut)
	f.t.Cleanup(func() { _ = client.Close() })
	settings := worker.DefaultSettings()
	settings.ShutdownTimeout = 5 * time.Second
	if change != nil {
		change(&settings)
	}
	hosts, err := icims.ParseHostPolicy(f.rig.server.URL + "," + unreachableURL)
	if err != nil {
		f.t.Fatal(err)
	}
	before := f.workers()
	m.Worker = worker.New(client, store.NewLedger(client, f.ledger.Keys()), settings, hosts, zerolog.New(m.logs))
	if conns == nil {
		conns = f.conns
	}
	m.SetConnections(conns)
	for kind, work := range f.kinds {
		m.ServeControl(kind, work)
	}
	if err := m.Start(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { m.cut.off.Store(false); m.Stop() })
	for id := range f.workers() {
		if _, old := before[id]; !old {
			m.id = id
		}
	}
	f.members = append(f.members, m)
	return m
}

func (f *fleet) workers() map[string]store.Peer {
	f.t.Helper()
	all, err := f.ledger.Workers.Fleet(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return all.Workers
}

// sendTo submits a batch of prospects.
func (f *fleet) sendTo(customer string, n int) store.BatchID {
	f.t.Helper()
	receipt, err := f.producer.Enqueue(f.t.Context(), input.Batch{Customer: customer, Target: input.Prospects, Candidates: input.Candidates(people(n)...)})
	if err != nil {
		f.t.Fatal(err)
	}
	return receipt.Batch
}

// serving counts the workers with an open lane for a customer.
func (f *fleet) serving(customer string) int {
	n := 0
	for _, m := range f.members {
		if m.serves(customer) {
			n++
		}
	}
	return n
}

func (m *member) serves(customer string) bool { return m.opened(customer) > m.closed(customer, "") }

func (m *member) opened(customer string) int { return m.told(customer, "lane opened", "") }

// closed counts how often a customer's lane was closed, for a reason or any.
func (m *member) closed(customer, why string) int { return m.told(customer, "lane closed", why) }

func (m *member) told(customer, message, why string) int {
	n := 0
	for line := range strings.Lines(m.logs.String()) {
		if strings.Contains(line, `"`+message+`"`) && strings.Contains(line, `"customer":"`+customer+`"`) && strings.Contains(line, why) {
			n++
		}
	}
	return n
}

// disconnect makes the worker look dead to the others: it no longer reaches Redis, and its last
// heartbeat was long ago.
func (f *fleet) disconnect(m *member) {
	f.t.Helper()
	m.cut.off.Store(true)
	if err := f.redis.HSet(f.t.Context(), "ix:workers", m.id, "1 0 0 ").Err(); err != nil {
		f.t.Fatal(err)
	}
}

// expect waits for a condition. If it is not met, it prints the logs of all workers.
func (f *fleet) expect(what string, holds func() bool) {
	f.t.Helper()
	defer func() {
		if f.t.Failed() {
			for i, m := range f.members {
				f.t.Logf("worker %d:\n%s", i, m.logs.Tail())
			}
		}
	}()
	f.eventually(what, holds)
}

// cutConnection fails all commands while it is off, and counts the worker's heartbeats.
type cutConnection struct {
	off   atomic.Bool
	beats atomic.Int64
	sent  atomic.Int64 // commands
}

var errCut = errors.New("cut off")

func (c *cutConnection) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *cutConnection) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if c.off.Load() {
			cmd.SetErr(errCut)
			return errCut
		}
		if args := cmd.Args(); args[0] == "evalsha" && text(args[3]) == "ix:workers" {
			c.beats.Add(1)
		}
		c.sent.Add(1)
		return next(ctx, cmd)
	}
}

func (c *cutConnection) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if c.off.Load() {
			for _, cmd := range cmds {
				cmd.SetErr(errCut)
			}
			return errCut
		}
		c.sent.Add(int64(len(cmds)))
		return next(ctx, cmds)
	}
}
