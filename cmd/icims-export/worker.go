package main

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	checks "github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

type workerCommand struct{}

// trimEvery is how often a worker returns unused memory to the system. Go keeps the memory of a
// peak for a long time, and a worker needs little once its lanes are closed.
const trimEvery = time.Minute

// Run runs the worker until it is stopped.
func (workerCommand) Run(ctx context.Context, p *process) error {
	if p.settings.RedisURL.Embedded() {
		return usageError("`worker` cannot use the embedded Redis: no producer can reach it. Set ICIMS_EXPORT_REDIS_URL to the Redis that producers use")
	}
	log := p.logger(zerolog.InfoLevel)
	hosts, err := hostPolicy(p.settings)
	if err != nil {
		return err
	}
	keys, err := readKeyset(p.settings, warnings(log))
	if err != nil {
		return err
	}
	var fromFile connections
	if p.settings.Connections != "" {
		if fromFile, err = readConnections(p.settings, hosts, p.lookupEnv); err != nil {
			return err
		}
	}
	logConnections(log, fromFile)
	if _, set := p.lookupEnv("HTTPS_PROXY"); set && p.settings.IcimsProxy == "" {
		log.Warn().Msg("HTTPS_PROXY is ignored: set ICIMS_EXPORT_ICIMS_PROXY to call iCIMS through a proxy")
	}
	seen, err := openMetrics(ctx, p.settings, log)
	if err != nil {
		return err
	}
	defer seen.close()
	client, closeRedis, err := openRedis(ctx, p.settings, warnings(log))
	if err != nil {
		return err
	}
	defer closeRedis()
	seen.redis(client)
	if err := logRisks(ctx, p.settings, client, log); err != nil {
		return err
	}
	ledger := newLedger(client, keys, p.settings, logPublishErrors(log))
	if err := checkRights(ctx, ledger, p.settings); err != nil {
		return err
	}
	if err := checkKeyset(ctx, ledger, p.settings); err != nil {
		return err
	}
	provider, flush, err := p.traces(ctx, log)
	if err != nil {
		return err
	}
	defer flush()
	w := newWorker(client, ledger, p.settings, hosts, nil, log)
	w.TraceTo(provider)
	seen.worker(ctx, w, client, ledger, p.settings.MetricsCustomers)
	source := checks.NewSource(ledger, hosts, log, w.SetConnections)
	source.SetFile(fromFile.usable)
	if err := source.Load(ctx); err != nil {
		return failed("cannot read the connections in Redis at %s. %s", p.settings.RedisURL, causeOf(err))
	}
	usable := source.Len()
	if usable == 0 && source.Unread() == 0 {
		log.Warn().Msg("no usable connection yet: add one with icims-export connection add or the API; it is loaded at once")
	}
	if err := w.Start(ctx); err != nil {
		return redisFailed(p.settings, err)
	}
	log.Info().Stringer("redis", p.settings.RedisURL).Int("connections", usable).Msg("worker started")
	reread, sourceEnded := make(chan []store.Connection), make(chan struct{})
	go func() {
		defer close(sourceEnded)
		source.Run(ctx, reread)
	}()

	trim := time.NewTicker(trimEvery)
	defer trim.Stop()
	for {
		select {
		case <-trim.C:
			debug.FreeOSMemory()
		case <-p.hangups:
			rereadKeyset(keys, log)
			reload(p, hosts, log, func(fromFile []store.Connection) {
				select {
				case reread <- fromFile:
				case <-ctx.Done():
				}
			})
		case <-ctx.Done():
			log.Info().Stringer("at_most", p.settings.ShutdownTimeout).Msg("stopping after the exports in progress; a second signal stops at once")
			start := time.Now()
			<-sourceEnded
			w.Stop()
			log.Info().Stringer("took", time.Since(start).Round(time.Millisecond)).Msg("worker stopped")
			return nil
		}
	}
}

// rereadKeyset loads new keys immediately. That happens within seconds anyway, but a signal should
// have a visible effect.
func rereadKeyset(keys *store.Keyset, log zerolog.Logger) {
	switch changed, err := keys.Reread(); {
	case err != nil:
		log.Error().Str("problem", err.Error()).Msg("could not reload the keyset; keeping the old one")
	case changed:
		log.Info().Msg("keyset reloaded")
	}
}

// reload reads the connections file again and applies its valid connections. A file without any
// valid connection changes nothing.
func reload(p *process, hosts icims.HostPolicy, log zerolog.Logger, apply func([]store.Connection)) {
	if p.settings.Connections == "" {
		return // stored connections are followed as they change
	}
	conns, err := readConnections(p.settings, hosts, p.lookupEnv)
	if err != nil {
		log.Error().Str("problem", err.Error()).Msg("could not reload the connections; keeping the old ones")
		return
	}
	logConnections(log, conns)
	apply(conns.usable)
	log.Info().Int("connections", len(conns.usable)).Msg("connections reloaded")
}

func logConnections(log zerolog.Logger, c connections) {
	for _, warning := range c.warnings {
		log.Warn().Msg(warning)
	}
	for _, problem := range c.problems {
		log.Error().Str("problem", problem).Msg("connection left out; its exports wait")
	}
}
