// Package worker takes exports from the queue and writes the candidates to the customers' iCIMS.
// It connects the queue, the ledger and the API client.
// Package worker takes exports out of the queue and puts the candidates into
// their customers' iCIMS. This is where queue, ledger and API client meet.
package worker

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker/control"
	"github.com/seekout/icims-export/worker/limiter"
)

// Settings of a worker process. See docs/configuration.md.
// Settings of a worker process. See docs/configuration.md.
type Settings struct {
	CallTimeout     time.Duration
	SettleTime      time.Duration // wait after a write whose response was lost
	Lease           time.Duration // of a claim
	RetryMin        time.Duration
	RetryMax        time.Duration
	RetryBudget     time.Duration
	LookupBatch     int
	LookupMemo      time.Duration
	LaneIdle        time.Duration // an idle lane closes after this time
	MaxLanes        int
	MaxCalls        int           // in flight, over all lanes
	Limits          store.Limits  // for connections without limits of their own
	LaneConcurrency int           // concurrent exports per customer
	TaskRetention   time.Duration // how long asynq keeps completed tasks; 0: not at all
	ShutdownTimeout time.Duration
	DummyDomain     string
	AbandonedAfter  time.Duration // a batch without a new row is closed after this time
	Jobs            jobs.Settings // for job lists
	VerifyEvery     time.Duration // interval of scheduled verifications; 0: never
}

// DefaultAbandonedAfter is how long a batch may stay open without another row.
const DefaultAbandonedAfter = 24 * time.Hour

// DefaultSettings returns the settings of a production worker.
func DefaultSettings() Settings {
	return Settings{
		CallTimeout: icims.DefaultCallTimeout, SettleTime: 90 * time.Second, Lease: time.Minute,
		RetryMin: 5 * time.Second, RetryMax: time.Hour, RetryBudget: 24 * time.Hour,
		LookupBatch: 50, LookupMemo: 5 * time.Minute,
		LaneIdle: 5 * time.Second, MaxLanes: 200, MaxCalls: 256, Limits: store.DefaultLimits(), LaneConcurrency: 10, TaskRetention: tasks.DefaultRetention,
		ShutdownTimeout: 45 * time.Second, DummyDomain: tasks.DefaultDummyDomain, AbandonedAfter: DefaultAbandonedAfter,
		Jobs: jobs.DefaultSettings(),
	}
}

// Worker exports candidates. Each customer with work has a lane of its own.
type Worker struct {
	redis    redis.UniversalClient
	queues   *tasks.Queues
	ledger   *store.Ledger
	settings Settings
	hosts    icims.HostPolicy
	log      zerolog.Logger
	// clientOptions are additional options of the API clients, for simulations.
	clientOptions []icims.Option
	// id identifies this process among the workers.
	id           string
	registry     *registry
	control      *control.Tasks
	sharedServer *asynq.Server // serves the control and intake queues
	tracer       *tracer
	slots        *limiter.Slots // calls in flight
	observer     Observer
	vitals       vitals
	// reverified is when this process last looked for connections that are due for verification.
	// Only the sweep uses it.
	reverified time.Time

	mu               sync.Mutex
	connections      map[string]store.Connection
	lanes            map[string]*lane
	tenants          map[string]*tenantCache
	closing          map[string]bool      // lanes that are closing; true: announced meanwhile
	considered       map[string]bool      // customers whose workload is being read; true: announced meanwhile
	waiting          map[string]waiter    // customers waiting for a free lane
	loggedUnreadable map[string]time.Time // when the log last reported unreadable work of a customer
	loggedWaiting    time.Time            // when the log last reported waiting customers
	refused          map[string]string    // customers without a usable connection, and why
	stopping         bool
	background       sync.WaitGroup
	scanRequests     chan struct{} // requests an immediate scan

	cancel context.CancelFunc
	ended  <-chan struct{} // closed by cancel
	loops  sync.WaitGroup

	stopHeartbeat context.CancelFunc
	heartbeat     sync.WaitGroup
}

// New returns a worker. Call Start to run it.
func New(client redis.UniversalClient, ledger *store.Ledger, settings Settings, hosts icims.HostPolicy, log zerolog.Logger) *Worker {
	w := &Worker{
		redis: client, queues: tasks.NewQueues(client, settings.TaskRetention), ledger: ledger, settings: settings, hosts: hosts, log: log, id: rand.Text()[:10],
		connections: map[string]store.Connection{}, lanes: map[string]*lane{}, tenants: map[string]*tenantCache{},
		slots: limiter.NewSlots(settings.MaxCalls), closing: map[string]bool{}, considered: map[string]bool{}, waiting: map[string]waiter{}, loggedUnreadable: map[string]time.Time{}, refused: map[string]string{}, scanRequests: make(chan struct{}, 1), observer: noObserver{},
	}
	w.registry = &registry{ledger: ledger, self: w.peer, settle: w.longestSettle, log: log}
	w.control = newControl(w)
	return w
}

// SetConnections replaces the customers' connections. A lane whose connection changed is closed
// and opened again with the new one, and the customer's waiting exports run now: the reason for
// waiting may be gone. If only the limits changed, the open lane applies them immediately.
func (w *Worker) SetConnections(connections []store.Connection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := make(map[string]store.Connection, len(connections))
	for _, c := range connections {
		next[c.Customer] = c.WithLimits(c.Limits.Or(w.settings.Limits)).WithDefaults()
	}
	for customer, before := range w.connections {
		now, kept := next[customer]
		if kept && now == before {
			continue
		}
		l := w.lanes[customer]
		if kept && l != nil && now.WithLimits(before.Limits) == before {
			l.limiter.SetLimits(now.Limits)
			l = nil // the lane stays open
		} else {
			delete(w.tenants, customer)
		}
		if l != nil {
			w.closeLane(l, connectionChanged)
		} else if kept && w.cancel != nil && !w.stopping {
			spawn(&w.background, w.log, "new connection", func() { w.runTwice(customer, w.ended) })
		}
	}
	if w.cancel != nil { // at the start, the caller logs the number of connections
		for customer, now := range next {
			if before, known := w.connections[customer]; !known || before != now {
				w.log.Info().Str("customer", customer).Bool("changed", known).Msg("connection loaded")
			}
		}
	}
	w.connections = next
	clear(w.refused)
	w.scanNow()
}

const connectionChanged = "the connection changed"

// longestSettle returns the longest settle time of all customers. After Redis lost writes,
// nothing is created for any customer before it is over.
func (w *Worker) longestSettle() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	longest := w.settings.SettleTime
	for _, c := range w.connections {
		longest = max(longest, c.Profile.SettleTime(w.settings.SettleTime))
	}
	return longest
}

// peer describes this worker for the registry.
func (w *Worker) peer() store.Peer {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := store.Peer{Worker: w.id, Lanes: len(w.lanes), Free: w.freeLanes()}
	if w.stopping {
		p.Free = -1
	}
	p.Refuses = slices.Sorted(maps.Keys(w.refused))
	p.Refuses = p.Refuses[:min(len(p.Refuses), maxReported)]
	for customer, k := range w.tenants {
		if k.breaker.unreachable() && len(p.Unreachable) < maxReported {
			p.Unreachable = append(p.Unreachable, customer)
		}
	}
	slices.Sort(p.Unreachable)
	return p
}

// maxReported bounds the customers that a worker reports as not servable.
const maxReported = 500

// freeLanes returns how many more lanes may be opened. The caller holds mu.
func (w *Worker) freeLanes() int { return max(w.settings.MaxLanes-len(w.lanes)-len(w.closing), 0) }

// Start starts the worker. It returns once Redis has answered.
func (w *Worker) Start(ctx context.Context) error {
	if err := store.Reach(ctx, w.redis); err != nil {
		return fmt.Errorf("reach Redis: %w", err)
	}
	// Beat before the first claim, so that other workers do not take this process for dead.
	if err := w.registry.beat(ctx); err != nil {
		return err
	}
	if err := w.serveShared(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	w.ended = ctx.Done()
	w.mu.Unlock()
	spawnLoop(ctx, &w.loops, w.log, "announcements", w.listen)
	spawnLoop(ctx, &w.loops, w.log, "supervisor", w.supervise)
	spawnLoop(ctx, &w.loops, w.log, "sweep", newSweep(w).run)
	// The heartbeat runs until the last lane is closed, so that no other worker takes over its
	// exports.
	beating, stopBeating := context.WithCancel(context.WithoutCancel(ctx))
	w.stopHeartbeat = stopBeating
	spawnLoop(beating, &w.heartbeat, w.log, "heartbeat", w.registry.run)
	return nil
}

// Stop finishes the calls in progress and returns all other exports to the queue, within the
// shutdown timeout.
func (w *Worker) Stop() {
	if w.cancel == nil {
		return
	}
	w.cancel()
	w.mu.Lock()
	w.stopping = true
	for _, l := range w.lanes {
		w.closeLane(l, "the worker stops")
	}
	w.mu.Unlock()
	w.loops.Wait()
	// Tell the other workers, so that they open its lanes now.
	w.bestEffort("could not send the last heartbeat", w.registry.beat)
	w.stopShared()
	w.background.Wait()
	w.stopHeartbeat()
	w.heartbeat.Wait()
	// Exports that were not returned in time are taken over once their leases expire.
	w.bestEffort("could not deregister the worker", func(ctx context.Context) error { return w.ledger.Workers.Leave(ctx, w.id) })
}

// bestEffort runs do with a short timeout, and logs the message failed if it fails.
func (w *Worker) bestEffort(failed string, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), ackTime)
	defer cancel()
	if err := do(ctx); err != nil {
		w.log.Warn().Err(err).Fields(store.LogFields(err)).Msg(failed)
	}
}
