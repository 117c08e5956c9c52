package worker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker/intake"
	"github.com/seekout/icims-export/worker/limiter"
	"github.com/seekout/icims-export/worker/redeliver"
)

// lane serves one customer: an asynq server for the customer's queues, an API client with the
// customer's limits, and the tenant cache. An export that waits for a permit in a lane delays no
// other customer.
type lane struct {
	conn     store.Connection
	worker   string // the process, as in claims
	settings Settings
	ledger   *store.Ledger
	client   *icims.Client
	limiter  *limiter.Limiter
	breaker  *breaker
	tenant   *tenant
	finder   *finder
	lookups  *lookups
	leases   *leases
	verdicts verdicts
	retries  retries
	throttle *throttle
	// setState changes the state of the customer's connection in the store.
	setState func(ctx context.Context, conn store.Connection, to store.ConnectionState, reason store.Reason) error
	control  bool // it runs a control task, see control.Run
	// expressOnly lanes serve the express queue alone: only the reserve of the daily budget is
	// left.
	expressOnly bool
	now         func() time.Time
	observer    Observer
	log         zerolog.Logger
	// tracer is nil if tracing is off.
	tracer *tracer

	server     *asynq.Server      // of the customer's queues
	base       context.Context    //nolint:containedctx // the lane's life
	cancel     context.CancelFunc // ends the background loops
	background sync.WaitGroup
	counts     exportCounts

	// Guarded by the worker's mu.
	opened        time.Time
	idle          time.Time     // since when there is no work; zero: there is
	misplaced     time.Time     // since when the customer is placed on other workers; zero: it is not
	announcements int           // received
	changed       chan struct{} // a pause, a closure or the connection may have changed
	rescheduledAt int64         // counts.started at the last reschedule, or notRescheduled
}

// exportCounts counts the exports that run in a lane, and those that ever started there.
type exportCounts struct{ running, started atomic.Int64 }

// startExport counts an export as running until done is called.
func (l *lane) startExport() (done func()) {
	l.counts.running.Add(1)
	l.counts.started.Add(1)
	return func() { l.counts.running.Add(-1) }
}

func (c *exportCounts) idle() bool { return c.running.Load() == 0 }

// newLane opens a lane for all of the customer's queues, or for the express queue alone.
func (w *Worker) newLane(conn store.Connection, expressOnly bool) (*lane, error) {
	l, err := w.assemble(conn)
	if err != nil {
		return nil, err
	}
	l.expressOnly = expressOnly
	if err := l.serve(w.redis, w.queues, w.intakes()); err != nil {
		l.cancel()
		return nil, err
	}
	return l, nil
}

// assemble builds a lane that does not serve yet. The caller holds mu.
func (w *Worker) assemble(conn store.Connection) (*lane, error) {
	return w.assembleFor(conn, purpose{permits: w.id, log: w.log.With().Str("customer", conn.Customer).Logger()})
}

// controlPatience is how long a call of a control task waits for the end of a pause after a 429. A
// task in asynq's queue could wait, but would begin anew.
const controlPatience = 3 * time.Minute

// purpose is what a lane is used for.
type purpose struct {
	// permits is the name under which permits are requested. Each limiter of a customer needs a
	// different one.
	permits string
	// control counts the calls of a control task; nil for exports.
	control *atomic.Int64
	log     zerolog.Logger
}

// assembleFor builds a lane for a purpose. The caller holds mu.
func (w *Worker) assembleFor(conn store.Connection, p purpose) (*lane, error) {
	log := p.log
	portals, err := icims.ParsePortalURLs(conn.PortalURLs, w.hosts)
	if err != nil {
		return nil, err
	}
	settings := w.settings
	settings.SettleTime = conn.Profile.SettleTime(settings.SettleTime)
	l := &lane{
		conn: conn, worker: w.id, settings: settings, ledger: w.ledger, log: log, control: p.control != nil, setState: w.setConnectionState, tracer: w.tracer,
		now: time.Now, observer: w.observer, changed: make(chan struct{}, 1),
		leases: newLeases(w.ledger, settings, time.Now),
		retries: retries{
			min: w.settings.RetryMin, max: w.settings.RetryMax, budget: w.settings.RetryBudget, settle: settings.SettleTime, random: rand.Float64,
		},
	}
	known := w.cachedTenant(conn, log)
	l.tenant, l.breaker, l.throttle = known.tenant, known.breaker, known.throttle
	l.base, l.cancel = context.WithCancel(context.Background())
	var patience time.Duration
	if p.control != nil {
		patience = controlPatience
	}
	l.limiter = limiter.New(l.base, limiter.Config{
		Quota: w.ledger.Quota(), Customer: conn.Customer, Worker: p.permits, Credentials: w.ledger.Keys().CredentialsHash(conn),
		Limits: conn.Limits, CallTimeout: w.settings.CallTimeout, Slots: w.slots, Control: p.control != nil, Patience: patience, Observer: w.observer, Log: log,
	})
	// The breaker comes before the permit, so that an open breaker wastes none.
	layers := []icims.Middleware{l.breaker.middleware, l.limiter.Middleware, l.leases.middleware, countCalls, l.logCalls}
	if p.control != nil {
		layers[0] = l.breaker.watch
		layers = append(layers, countInto(p.control))
	}
	l.client, err = icims.New(portals[0].Root, conn.Customer, connections.Auth(conn),
		slices.Concat(w.clientOptions, []icims.Option{
			icims.WithHosts(w.hosts),
			icims.WithCallTimeout(w.settings.CallTimeout),
			icims.WithNobodyCode(conn.Profile.NobodyCode),
			icims.WithMiddleware(w.tracer.around(layers)...),
		})...)
	if err != nil {
		l.cancel()
		return nil, fmt.Errorf("connection of customer %s: %w", conn.Customer, err)
	}
	l.finder = &finder{client: l.client, conn: conn, tenant: l.tenant, reopens: l.limiter.Reopens, log: log}

	l.lookups = newLookups(l.finder, w.ledger, l.finder.atOnce(w.settings.LookupBatch), w.settings.LookupMemo, log)
	return l, nil
}

const (
	// taskCheck is how often asynq polls empty queues, delayedCheck how often it looks for
	// scheduled tasks that are due.
	taskCheck    = 200 * time.Millisecond
	delayedCheck = time.Second
)

// serve starts taking exports from the customer's queues.
func (l *lane) serve(client redis.UniversalClient, queues *tasks.Queues, refuser *intake.Handler) error {
	weights := map[string]int{}
	for size, weight := range tasks.Weights {
		if size == store.ExpressQueue || !l.expressOnly {
			weights[tasks.QueueName(l.conn.Customer, size)] = weight
		}
	}
	l.server = asynq.NewServerFromRedisClient(ackGuard{client}, asynq.Config{
		Concurrency:              l.settings.LaneConcurrency,
		Queues:                   weights,
		TaskCheckInterval:        taskCheck,
		DelayedTaskCheckInterval: delayedCheck,
		ShutdownTimeout:          l.settings.ShutdownTimeout,
		RetryDelayFunc:           redeliver.RetryDelay,
		IsFailure:                redeliver.IsFailure,
		Logger:                   queueLog{l.log.With().Str("part", "asynq").Logger()},
		LogLevel:                 asynq.WarnLevel,
	})
	if err := l.server.Start(&handler{lane: l, pipeline: newPipeline(l), queues: queues, refuser: refuser}); err != nil {
		return fmt.Errorf("start lane of customer %s: %w", l.conn.Customer, err)
	}
	spawnLoop(l.base, &l.background, l.log, "renewal of claims", l.leases.renew)
	l.log.Info().Msg("lane opened")
	return nil
}

// close stops the lane within the shutdown timeout. Exports that wait for a permit return to the
// queue, calls in progress finish. On a pause, exports that have begun finish all their calls.
func (l *lane) close(why string) {
	l.server.Stop()
	if why == waitsPaused { // exports that have begun finish their calls
		spawn(&l.background, l.log, "closing of a lane", func() {
			select {
			case <-time.After(l.settings.ShutdownTimeout):
				l.limiter.Drain()
			case <-l.base.Done():
			}
		})
	} else {
		l.limiter.Drain()
	}
	l.server.Shutdown()
	l.end()
	l.log.Info().Str("why", why).Msg("lane closed")
}

// end stops the background loops and returns unused permits.
func (l *lane) end() {
	l.cancel()
	l.background.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), ackTime)
	defer cancel()
	l.limiter.Close(ctx)
	l.client.CloseIdleConnections()
}

// logCalls logs each call by operation, never by URL. URLs hold only IDs, but what is not logged
// cannot leak.
func (l *lane) logCalls(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		start := time.Now()
		answer, err := next.RoundTrip(req)
		event := l.log.Debug()
		if err == nil {
			switch icims.AccountStatus(icims.OpOf(req.Context()), answer) {
			case http.StatusUnauthorized, http.StatusForbidden, icims.StatusNotAuthorized, icims.StatusSearchRefused:
				event = l.log.Warn() // the customer's exports wait, or one becomes a dead letter
			default:
			}
		}
		event = event.Str("op", icims.OpOf(req.Context()).Name).Dur("took_ms", time.Since(start))
		if err == nil {
			event = event.Int("status", answer.StatusCode)
		}
		event.Msg("iCIMS called")
		return answer, err
	})
}

// queueLog passes asynq's messages to the log.
type queueLog struct{ zerolog.Logger }

func (l queueLog) Debug(args ...any) { l.Logger.Debug().Msg(withoutIDs(args)) }
func (l queueLog) Info(args ...any)  { l.Logger.Info().Msg(withoutIDs(args)) }
func (l queueLog) Warn(args ...any)  { l.Logger.Warn().Msg(withoutIDs(args)) }
func (l queueLog) Error(args ...any) { l.Logger.Error().Msg(withoutIDs(args)) }
func (l queueLog) Fatal(args ...any) { l.Logger.Error().Msg(withoutIDs(args)) }

// withoutIDs removes task IDs from a message of asynq: producers may put anything into a task's
// ID.
func withoutIDs(args []any) string {
	text, rest, cut := strings.Cut(fmt.Sprint(args...), "id=")
	if !cut {
		return text
	}
	_, cause, _ := strings.Cut(rest, " err: ")
	return strings.TrimSpace(text + "left out " + cause)
}
