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
type Settings struct {
	CallTimeout     time.Duration
	SettleTime      time.Duration // after a write whose answer was lost
	Lease           time.Duration // of a claim
	RetryMin        time.Duration
	RetryMax        time.Duration
	RetryBudget     time.Duration
	LookupBatch     int
	LookupMemo      time.Duration
	LaneIdle        time.Duration // after which an idle lane closes
	MaxLanes        int
	MaxCalls        int           // in flight, over all lanes
	Limits          store.Limits  // of connections that leave them out
	LaneConcurrency int           // exports of a customer worked on at once
	TaskRetention   time.Duration // for which asynq keeps completed tasks; 0: it keeps none
	ShutdownTimeout time.Duration
	DummyDomain     string
	AbandonedAfter  time.Duration // without a row a batch is closed that nobody closes
	Jobs            jobs.Settings // of the lists of jobs
	VerifyEvery     time.Duration // after which connections are verified again by themselves; 0: never
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

// Worker serves the customers that have work, each in a lane of its own.
type Worker struct {
	redis    redis.UniversalClient
	queues   *tasks.Queues
	ledger   *store.Ledger
	settings Settings
	hosts    icims.HostPolicy
	log      zerolog.Logger
	// clientOptions are further options of the API clients, for simulations.
	clientOptions []icims.Option
	// id names this process among the workers.
	id           string
	registry     *registry
	control      *control.Tasks
	sharedServer *asynq.Server // of the queues outside the lanes
	tracer       *tracer
	slots        *limiter.Slots // for calls in flight
	observer     Observer
	vitals       vitals
	// reverified is when this process last looked which connections are due for it; the
	// sweep's alone.
	reverified time.Time

	mu               sync.Mutex
	connections      map[string]store.Connection
	lanes            map[string]*lane
	tenants          map[string]*tenantCache
	closing          map[string]bool      // lanes that finish what they hold; true: announced meanwhile
	considered       map[string]bool      // customers whose workload is being read; true: announced meanwhile
	waiting          map[string]waiter    // customers that wait for a free lane
	loggedUnreadable map[string]time.Time // when the log last said that a customer's work cannot be seen
	loggedWaiting    time.Time            // when that was last told
	refused          map[string]string    // customers without a usable connection, and why
	stopping         bool
	background       sync.WaitGroup
	scanRequests     chan struct{} // asks for another look at once

	cancel context.CancelFunc
	ended  <-chan struct{} // closed by cancel
	loops  sync.WaitGroup

	stopHeartbeat context.CancelFunc
	heartbeat     sync.WaitGroup
}

// New returns a worker that is not started.
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

// SetConnections replaces the customers' connections. Lanes whose connection
// changed are closed, and opened again with the new one; what waits for a time
// goes on at once, as the reasons for waiting may be gone. New limits alone hold
// at once, in the open lane.
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
			l = nil // it stays
		} else {
			delete(w.tenants, customer)
		}
		if l != nil {
			w.closeLane(l, connectionChanged)
		} else if kept && w.cancel != nil && !w.stopping {
			spawn(&w.background, w.log, "new connection", func() { w.runTwice(customer, w.ended) })
		}
	}
	if w.cancel != nil { // at the start it says how many there are
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

// longestSettle is the longest settle time of all customers: after a loss of Redis nothing is created
// anywhere before it is over.
func (w *Worker) longestSettle() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	longest := w.settings.SettleTime
	for _, c := range w.connections {
		longest = max(longest, c.Profile.SettleTime(w.settings.SettleTime))
	}
	return longest
}

// peer is this worker as the registry shows it.
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

// refusedTold bounds how many customers a worker says that it cannot serve.
const maxReported = 500

// room is how many more lanes may be opened. The caller holds mu.
func (w *Worker) freeLanes() int { return max(w.settings.MaxLanes-len(w.lanes)-len(w.closing), 0) }

// Start begins to serve. It returns once Redis is known to answer.
func (w *Worker) Start(ctx context.Context) error {
	if err := store.Reach(ctx, w.redis); err != nil {
		return fmt.Errorf("reach Redis: %w", err)
	}
	// Before the first claim, so that nobody takes this process for dead.
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
	// It lives until its last lane is closed: nobody may take over what it finishes.
	beating, stopBeating := context.WithCancel(context.WithoutCancel(ctx))
	w.stopHeartbeat = stopBeating
	spawnLoop(beating, &w.heartbeat, w.log, "heartbeat", w.registry.run)
	return nil
}

// Stop hands back what is not being sent and finishes what is, within the
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
	// Others are to open its lanes now.
	w.bestEffort("could not send the last heartbeat", w.registry.beat)
	w.stopShared()
	w.background.Wait()
	w.stopHeartbeat()
	w.heartbeat.Wait()
	// What could not be handed back in time is taken over once its lease has run out.
	w.bestEffort("could not deregister the worker", func(ctx context.Context) error { return w.ledger.Leave(ctx, w.id) })
}

// saying tells the other workers about this one. It logs failed if that fails.
func (w *Worker) bestEffort(failed string, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), ackTime)
	defer cancel()
	if err := do(ctx); err != nil {
		w.log.Warn().Err(err).Fields(store.LogFields(err)).Msg(failed)
	}
}
