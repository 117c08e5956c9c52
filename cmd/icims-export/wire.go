package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/config"
	checks "github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/verify"
	"github.com/seekout/icims-export/worker"
)

// openRedis connects to the configured Redis, or starts the embedded one, and pings it. It calls
// warn if other users can read the password.
func openRedis(ctx context.Context, s config.Settings, warn func(string)) (redis.UniversalClient, func(), error) {
	if s.RedisURL.Embedded() {
		return startEmbeddedRedis()
	}
	client, err := s.RedisClient()
	if err != nil {
		return nil, nil, usageError("%v", err)
	}
	if warning := config.ExposedFile("the password file of Redis", s.RedisPasswordFile); warning != "" {
		warn(warning)
	}
	if err := store.Reach(ctx, client); err != nil {
		_ = client.Close()
		if ctx.Err() != nil {
			return nil, nil, failed("stopped before Redis answered")
		}
		return nil, nil, redisFailed(s, err)
	}
	return client, func() { _ = client.Close() }, nil
}

// rootCause returns the text of the innermost error.
func rootCause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// causeOf explains an error: Redis's message and its remedy, or else the innermost text.
func causeOf(err error) string {
	if d, ok := store.Diagnose(err); ok {
		return d.String()
	}
	return prose.Sentence(rootCause(err))
}

// isRedis reports whether an error comes from Redis or from the connection to it.
func isRedis(err error) bool {
	_, ok := store.Diagnose(err)
	return ok
}

// redisFailed explains why Redis cannot be used, with the remedy.
func redisFailed(s config.Settings, err error) error {
	d, ok := store.Diagnose(err)
	if !ok {
		return failed("Redis at %s failed: %s", s.RedisURL, rootCause(err))
	}
	sentences := []string{d.Problem(), fmt.Sprintf("Address: %s.", s.RedisURL), d.Remedy()}
	if d.Trouble.Passes() {
		sentences = append(sentences, "Then run the command again.")
	}
	return failed("%s", strings.Join(sentences, " "))
}

// readKeyset reads the sealing keys. It calls warn if other users can read them.
func readKeyset(s config.Settings, warn func(string)) (*store.Keyset, error) {
	const remedy = "icims-export keys new --to keyset.json"
	if s.Keyset == "" {
		return nil, usageError("no keyset is set: create one with %q and set ICIMS_EXPORT_KEYSET to it; producers and workers share it", remedy)
	}
	keys, err := store.ReadKeysetFile(s.Keyset)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usageError("the keyset %s does not exist: correct ICIMS_EXPORT_KEYSET, or create one with %q", s.Keyset, remedy)
	case errors.Is(err, fs.ErrPermission):
		return nil, usageError("the keyset %s cannot be read: give this user read permission", s.Keyset)
	case err != nil:
		return nil, usageError("%v", err)
	}
	if warning := config.ExposedFile("the keyset", s.Keyset); warning != "" {
		warn(warning)
	}
	return keys, nil
}

// warn prints a warning.
func (p *process) warn(text string) { p.sayf("Warning: %s.", text) }

// warnings returns a function that logs warnings.
func warnings(log zerolog.Logger) func(string) {
	return func(text string) { log.Warn().Msg(text) }
}

// newLedger returns the ledger configured by the settings.
func newLedger(client redis.UniversalClient, keys *store.Keyset, s config.Settings, further ...store.Option) *store.Ledger {
	options := append([]store.Option{
		store.WithRetention(s.ResultRetention), store.WithJournalAge(s.JournalRetention), store.WithMaxWaiting(s.MaxWaiting), store.WithAcceptMemory(s.AcceptMemory),
	}, further...)
	return store.NewLedger(client, keys, options...)
}

// logPublishErrors logs messages to the workers that Redis does not accept.
func logPublishErrors(log zerolog.Logger) store.Option {
	return store.OnPublishError(func(err error) {
		log.Warn().Str("problem", err.Error()).Msg("workers cannot be notified; they find new work within seconds")
	})
}

// checkRights refuses a Redis user without the rights that the service needs.
func checkRights(ctx context.Context, ledger *store.Ledger, s config.Settings) error {
	if err := ledger.Checks.CheckRights(ctx); err != nil {
		return failed("at %s %v", s.RedisURL, err)
	}
	return nil
}

// newProducer returns the client that accepts batches.
func newProducer(client redis.UniversalClient, ledger *store.Ledger, s config.Settings, further ...tasks.ClientOption) *tasks.Client {
	options := append([]tasks.ClientOption{tasks.WithChunk(s.EnqueueChunk), tasks.WithDummyDomain(s.DummyEmailDomain), tasks.WithTaskRetention(s.TaskRetention)}, further...)
	return tasks.NewClient(client, ledger, options...)
}

// newWorker returns a worker for the connections.
func newWorker(client redis.UniversalClient, ledger *store.Ledger, s config.Settings, hosts icims.HostPolicy, conns []store.Connection, log zerolog.Logger) *worker.Worker {
	w := worker.New(client, ledger, workerSettings(s), hosts, log)
	w.SetConnections(conns)
	serveControl(w, s)
	return w
}

// serveControl makes a worker run control tasks.
func serveControl(w *worker.Worker, s config.Settings) {
	w.ServeControl(store.ControlVerify, verify.Verifier{Egress: s.EgressAddresses}.Work())
}

func workerSettings(s config.Settings) worker.Settings {
	w := worker.DefaultSettings()
	w.CallTimeout, w.SettleTime, w.Lease = s.CallTimeout, s.SettleTime, s.Lease
	w.RetryMin, w.RetryMax, w.RetryBudget = s.RetryMin, s.RetryMax, s.RetryBudget
	w.LookupBatch, w.LookupMemo = s.LookupBatch, s.LookupMemo
	w.Limits, w.MaxCalls = s.Limits(), s.MaxCalls
	w.LaneIdle, w.MaxLanes, w.LaneConcurrency = s.LaneIdle, s.MaxLanes, s.LaneConcurrency
	w.ShutdownTimeout, w.DummyDomain = s.ShutdownTimeout, s.DummyEmailDomain
	w.AbandonedAfter, w.TaskRetention = s.AbandonedAfter, s.TaskRetention
	w.Jobs, w.VerifyEvery = jobsSettings(s), s.VerifyEvery
	return w
}

func jobsSettings(s config.Settings) jobs.Settings {
	return jobs.Settings{MaxAge: s.JobsMaxAge, Share: s.JobsShare}
}

// hostPolicy says to which hosts credentials may be sent, and by which proxy.
func hostPolicy(s config.Settings) (icims.HostPolicy, error) {
	policy, err := icims.ParseHostPolicy(strings.Join(s.IcimsHosts, ","))
	if err == nil {
		policy, err = policy.WithPrivateAddresses(s.IcimsPrivateAddresses...)
	}
	if err == nil && s.IcimsProxy != "" {
		policy, err = policy.WithProxy(string(s.IcimsProxy))
	}
	if err != nil {
		return icims.HostPolicy{}, usageError("%v", err)
	}
	return policy, nil
}

// connections is the content of the connections file.
type connections struct {
	usable   []store.Connection
	warnings []string
	problems []string // of omitted connections, one sentence each
}

// readConnections reads and checks the connections file. The error is about the file as a whole.
func readConnections(s config.Settings, hosts icims.HostPolicy, lookupEnv func(string) (string, bool)) (connections, error) {
	var c connections
	if s.Connections == "" {
		return c, usageError("no connections are set: write a YAML file (see docs/configuration.md) and set ICIMS_EXPORT_CONNECTIONS to it")
	}
	if _, err := os.Stat(s.Connections); errors.Is(err, fs.ErrNotExist) {
		return c, usageError("%s does not exist: correct ICIMS_EXPORT_CONNECTIONS, or create it (see docs/configuration.md)", s.Connections)
	}
	good, warnings, err := config.ReadConnections(s.Connections, lookupEnv, s.Limits())
	c.warnings = warnings
	if err != nil {
		c.problems = strings.Split(err.Error(), "\n")
	}
	for _, conn := range good {
		if err := checks.Check(conn, hosts); err != nil {
			c.problems = append(c.problems, fmt.Sprintf("%s: customer %s: %v", s.Connections, conn.Customer, err))
			continue
		}
		c.usable = append(c.usable, conn)
	}
	if len(c.usable) == 0 {
		if len(c.problems) == 0 {
			return c, usageError("%s contains no connection: add one", s.Connections)
		}
		return c, usageError("%s", strings.Join(c.problems, "\n"))
	}
	return c, nil
}

// of returns a customer's connection.
func (c connections) of(customer string) (store.Connection, bool) {
	for _, conn := range c.usable {
		if conn.Customer == customer {
			return conn, true
		}
	}
	return store.Connection{}, false
}
