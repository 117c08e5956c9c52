// Package worker takes exports out of the queue and puts the candidates into
// their customers' iCIMS. This is where queue, ledger and API client meet.
package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
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
	LaneConcurrency int           // exports of a customer worked on at once
	Poll            time.Duration // of an empty queue
	ShutdownTimeout time.Duration
	DummyDomain     string
}

// DefaultSettings returns the settings of a production worker.
func DefaultSettings() Settings {
	return Settings{
		CallTimeout: icims.DefaultCallTimeout, SettleTime: 90 * time.Second, Lease: time.Minute,
		RetryMin: 5 * time.Second, RetryMax: time.Hour, RetryBudget: 24 * time.Hour,
		LookupBatch: 50, LookupMemo: 5 * time.Minute,
		LaneIdle: 30 * time.Second, MaxLanes: 200, LaneConcurrency: 10, Poll: 200 * time.Millisecond,
		ShutdownTimeout: 45 * time.Second, DummyDomain: tasks.DefaultDummyDomain,
	}
}

// Worker serves the customers that have work, each in a lane of its own.
type Worker struct {
	redis    redis.UniversalClient
	ledger   *store.Ledger
	settings Settings
	hosts    icims.HostPolicy
	log      zerolog.Logger
	// clientOptions are further options of the API clients, for simulations.
	clientOptions []icims.Option
	// id names this process among the workers.
	id string

	mu          sync.Mutex
	connections map[string]store.Connection
	lanes       map[string]*lane
	accounts    map[string]*account
	closing     map[string]bool   // lanes that finish what they hold; not opened again before
	refused     map[string]string // customers without a usable connection, and why
	retiring    sync.WaitGroup

	cancel context.CancelFunc
	beside sync.WaitGroup

	stopBeating context.CancelFunc
	beating     sync.WaitGroup
}

// New returns a worker that is not started.
func New(client redis.UniversalClient, ledger *store.Ledger, settings Settings, hosts icims.HostPolicy, log zerolog.Logger) *Worker {
	return &Worker{
		redis: client, ledger: ledger, settings: settings, hosts: hosts, log: log, id: rand.Text()[:10],
		connections: map[string]store.Connection{}, lanes: map[string]*lane{}, accounts: map[string]*account{}, closing: map[string]bool{}, refused: map[string]string{},
	}
}

// SetConnections replaces the customers' connections. Lanes whose connection
// changed are closed, and opened again with the new one.
func (w *Worker) SetConnections(connections []store.Connection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := make(map[string]store.Connection, len(connections))
	for _, c := range connections {
		next[c.Customer] = c.WithDefaults()
	}
	for customer, l := range w.lanes {
		if next[customer] != l.conn {
			l.gate.account.mended()
			w.retire(l, connectionChanged)
		}
	}
	w.connections = next
	clear(w.refused)
}

// Start begins to serve. It returns once Redis is known to answer.
func (w *Worker) Start(ctx context.Context) error {
	if err := w.redis.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("reach Redis: %w", err)
	}
	// Before the first claim, so that nobody takes this process for dead.
	if _, err := w.ledger.Beat(ctx, w.id, 0, 0); err != nil {
		return err
	}
	ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	w.beside.Go(func() { w.supervise(ctx) })
	r := &reconciler{redis: w.redis, ledger: w.ledger, worker: w.id, lease: w.settings.Lease, log: w.log}
	// It lives until its last lane is closed: nobody may take over what it finishes.
	beating, stopBeating := context.WithCancel(context.WithoutCancel(ctx))
	w.stopBeating = stopBeating
	w.beating.Go(func() { r.beat(beating) })
	w.beside.Go(func() { r.run(ctx) })
	return nil
}

// Stop hands back what is not being sent and finishes what is, within the
// shutdown timeout.
func (w *Worker) Stop() {
	if w.cancel == nil {
		return
	}
	w.cancel()
	w.beside.Wait()
	w.mu.Lock()
	for _, l := range w.lanes {
		w.retire(l, "the worker stops")
	}
	w.mu.Unlock()
	w.retiring.Wait()
	w.stopBeating()
	w.beating.Wait()
	// What could not be handed back in time is taken over at once.
	ctx, cancel := context.WithTimeout(context.Background(), ackTime)
	defer cancel()
	if err := w.ledger.Farewell(ctx, w.id); err != nil {
		w.log.Warn().Err(err).Msg("could not say that this worker has ended")
	}
}

const connectionChanged = "the connection changed"

// hurry makes what the queue keeps for later due now: with another connection
// the reasons for waiting may be gone.
func (w *Worker) hurry(customer string) {
	inspector := asynq.NewInspectorFromRedisClient(w.redis)
	queues, err := inspector.Queues()
	for _, queue := range []string{tasks.ExpressQueue(customer), tasks.BulkQueue(customer)} {
		if err == nil && slices.Contains(queues, queue) {
			_, err = inspector.RunAllRetryTasks(queue)
		}
	}
	if err != nil {
		w.log.Warn().Err(err).Str("customer", customer).Msg("exports that wait could not be hurried up")
	}
}

// retire closes a lane beside everything else, since it may take as long as a
// call. The caller holds mu.
func (w *Worker) retire(l *lane, why string) {
	customer := l.conn.Customer
	delete(w.lanes, customer)
	w.closing[customer] = true
	w.retiring.Go(func() {
		l.close(why)
		if why == connectionChanged {
			w.hurry(customer)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.closing, customer)
	})
}

// lookEvery is how often the list of customers with work is read: announcements
// wake the worker at once, this is for those it missed.
const lookEvery = time.Second

func (w *Worker) supervise(ctx context.Context) {
	announced := w.ledger.Announcements(ctx)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		w.look(ctx)
		select {
		case <-ctx.Done():
			for range announced { // until the subscription has ended
			}
			return
		case a, ok := <-announced:
			if ok && !a.Changed {
				w.open(a.Customer)
			}
		case <-tick.C:
		}
	}
}

// look opens lanes for the customers that have work and closes idle ones.
func (w *Worker) look(ctx context.Context) {
	announced, err := w.ledger.Announced(ctx)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			w.log.Error().Err(err).Msg("cannot see who has work")
		}
		return
	}
	stamps := make(map[string]store.Announced, len(announced))
	for _, a := range announced {
		stamps[a.Customer] = a
		w.open(a.Customer)
	}
	w.mu.Lock()
	lanes := slices.Collect(maps.Values(w.lanes))
	w.mu.Unlock()
	for _, l := range lanes {
		w.closeIdle(ctx, l, stamps)
	}
}

// account returns the customer's standing, which outlives its lanes. The caller
// holds mu.
func (w *Worker) account(customer string) *account {
	a, known := w.accounts[customer]
	if !known {
		a = newAccount(time.Now)
		w.accounts[customer] = a
	}
	return a
}

func (w *Worker) open(customer string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, open := w.lanes[customer]; open || w.closing[customer] {
		return
	}
	if len(w.lanes) >= w.settings.MaxLanes {
		w.refuse(customer, "all lanes of this process are taken; raise ICIMS_EXPORT_MAX_LANES or start another worker")
		return
	}
	conn, ok := w.connections[customer]
	if !ok {
		w.refuse(customer, "the connections file has no such customer")
		return
	}
	l, err := w.newLane(conn)
	if err != nil {
		w.refuse(customer, err.Error())
		return
	}
	w.lanes[customer] = l
	delete(w.refused, customer)
}

// refuse tells once why a customer's exports wait.
func (w *Worker) refuse(customer, why string) {
	if w.refused[customer] != why {
		w.refused[customer] = why
		w.log.Warn().Str("customer", customer).Str("why", why).Msg("exports wait")
	}
}

// closeIdle closes a lane in which nothing has moved for a while, and takes its
// customer off the list, unless another process has done so.
func (w *Worker) closeIdle(ctx context.Context, l *lane, announced map[string]store.Announced) {
	// The announcements were read before the count: work that came in between was
	// announced after it, which keeps the customer on the list.
	live, err := w.ledger.Live(ctx, l.conn.Customer)
	switch {
	case err != nil || live > 0:
		l.idle = time.Time{}
		return
	case l.idle.IsZero():
		l.idle = time.Now()
		return
	case time.Since(l.idle) < w.settings.LaneIdle:
		return
	}
	if a, listed := announced[l.conn.Customer]; listed {
		if gone, err := w.ledger.Withdraw(ctx, a); err != nil || !gone {
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lanes[l.conn.Customer] == l {
		w.retire(l, "idle")
	}
}
