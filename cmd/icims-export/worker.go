package main

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

type workerCommand struct{}

// Run serves until it is stopped.
func (workerCommand) Run(ctx context.Context, p *process) error {
	if p.settings.RedisURL.Embedded() {
		return misused("nobody could bring an embedded Redis work: set ICIMS_EXPORT_REDIS_URL to the Redis that producers use")
	}
	// From the start, since a SIGHUP that nobody waits for ends the process.
	hangups, noMore := p.hangups()
	defer noMore()
	log := p.logger(zerolog.InfoLevel)
	hosts, err := hostPolicy(p.settings)
	if err != nil {
		return err
	}
	keys, err := readKeyset(p.settings)
	if err != nil {
		return err
	}
	conns, err := readConnections(p.settings, hosts, p.lookupEnv)
	if err != nil {
		return err
	}
	logConnections(log, conns)
	client, closeRedis, err := openRedis(ctx, p.settings)
	if err != nil {
		return err
	}
	defer closeRedis()
	risks, err := store.Risks(ctx, client)
	if err != nil {
		return failed("Redis at %s %s; start it or correct ICIMS_EXPORT_REDIS_URL", p.settings.RedisURL, redisCause(err))
	}
	for _, risk := range risks {
		log.Error().Msg("AT RISK: " + risk)
	}
	ledger := newLedger(client, keys, p.settings)
	if err := checkKeyset(ctx, ledger, p.settings); err != nil {
		return err
	}
	w := newWorker(client, ledger, p.settings, hosts, conns.usable, log)
	if err := w.Start(ctx); err != nil {
		return failed("Redis at %s %s; start it or correct ICIMS_EXPORT_REDIS_URL", p.settings.RedisURL, redisCause(err))
	}
	log.Info().Stringer("redis", p.settings.RedisURL).Int("connections", len(conns.usable)).Msg("worker started")

	for {
		select {
		case <-hangups:
			reload(p, hosts, log, w.SetConnections)
		case <-ctx.Done():
			log.Info().Stringer("at_most", p.settings.ShutdownTimeout).Msg("stopping: what is being sent is finished, the rest handed back; a second signal stops at once")
			start := time.Now()
			w.Stop()
			log.Info().Stringer("took", time.Since(start).Round(time.Millisecond)).Msg("worker stopped")
			return nil
		}
	}
}

// reload reads the file of connections again and applies what is good in it. A
// file from which nothing can be used changes nothing.
func reload(p *process, hosts icims.HostPolicy, log zerolog.Logger, apply func([]store.Connection)) {
	conns, err := readConnections(p.settings, hosts, p.lookupEnv)
	if err != nil {
		log.Error().Str("problem", err.Error()).Msg("the connections stay as they were")
		return
	}
	logConnections(log, conns)
	apply(conns.usable)
	log.Info().Int("connections", len(conns.usable)).Msg("connections read again")
}

func logConnections(log zerolog.Logger, c connections) {
	for _, warning := range c.warnings {
		log.Warn().Msg(warning)
	}
	for _, problem := range c.problems {
		log.Error().Str("problem", problem).Msg("a connection is left out, its exports wait")
	}
}
