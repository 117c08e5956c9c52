package main

import (
	"context"
	"net"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

type serveCommand struct{}

// Run serves the HTTP API and the console until it is stopped.
func (serveCommand) Run(ctx context.Context, p *process) error {
	if p.settings.RedisURL.Embedded() {
		return usageError("`serve` cannot use the embedded Redis: no worker can reach it. Set ICIMS_EXPORT_REDIS_URL to the Redis of the workers, or try icims-export demo")
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
	cert, err := readCertificate(p.settings, warnings(log))
	if err != nil {
		return err
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
	ledger := newLedger(client, keys, p.settings, logPublishErrors(log))
	if err := checkRights(ctx, ledger, p.settings); err != nil {
		return err
	}
	if err := checkKeyset(ctx, ledger, p.settings); err != nil {
		return err
	}
	if err := logRisks(ctx, p.settings, client, log); err != nil {
		return err
	}
	provider, flush, err := p.traces(ctx, log)
	if err != nil {
		return err
	}
	defer flush()
	filed := p.filed(log)
	service := p.service(client, ledger, false)
	service.Filed = filed.usable
	server, err := newAPI(service, p.settings, hosts, log, tasks.WithTraces(provider))
	if err != nil {
		return err
	}
	if p.settings.Console {
		closeConsole, err := mountConsole(server, p.settings.ConsoleIdle, log)
		if err != nil {
			return err
		}
		defer closeConsole()
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", p.settings.APIListen)
	if err != nil {
		return usageError("cannot listen on %s (%s): set --api-listen to a free address of this machine, such as 127.0.0.1:8081", p.settings.APIListen, rootCause(err))
	}
	if err := warnServing(ctx, ledger, listener.Addr(), cert != nil, log); err != nil {
		_ = listener.Close()
		return redisFailed(p.settings, err)
	}
	seen.api(ctx, server) // ready once it listens, and not before
	log.Info().Stringer("redis", p.settings.RedisURL).Str("address", listener.Addr().String()).Bool("tls", cert != nil).Bool("console", p.settings.Console).Msg("API started")

	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener, cert, p.settings.ShutdownTimeout) }()
	for stopping := ctx.Done(); ; {
		select {
		case <-p.hangups:
			rereadKeyset(keys, log)
			rereadCertificate(cert, log)
			filed.again()
		case <-stopping:
			log.Info().Stringer("at_most", p.settings.ShutdownTimeout).Msg("stopping after the requests in progress; a second signal stops at once")
			stopping = nil
		case err := <-served:
			if err != nil {
				return failed("the API failed: %s", rootCause(err))
			}
			log.Info().Msg("API stopped")
			return nil
		}
	}
}

// newAPI returns the API configured by the settings.
func newAPI(service *admin.Service, s config.Settings, hosts icims.HostPolicy, log zerolog.Logger, options ...tasks.ClientOption) (*api.Server, error) {
	server, err := api.New(api.Deps{
		Redis: service.Redis, Ledger: service.Ledger, Producer: newProducer(service.Redis, service.Ledger, s, options...), Admin: service, Hosts: hosts, Settings: apiSettings(s), Log: log,
	})
	if err != nil {
		return nil, failed("the API cannot be created: %s", rootCause(err))
	}
	return server, nil
}

func apiSettings(s config.Settings) api.Settings {
	const mib = 1 << 20
	return api.Settings{
		RequestTimeout: s.APIRequestTimeout, StallTimeout: s.APIStallTimeout, MaxUpload: int64(s.APIMaxUpload) * mib,
		KeyRate: s.APIKeyRate, KeyBurst: s.APIKeyBurst, MaxRequests: s.APIMaxRequests, KeyUploads: s.APIKeyUploads, Uploads: s.APIUploads, MaxRows: s.MaxBatchRows, TrustedProxies: s.APITrustedProxies, Jobs: jobsSettings(s),
		EgressAddresses: s.EgressAddresses,
	}
}

// readCertificate reads the configured certificate, or returns nil. It calls warn if other users
// can read the key.
func readCertificate(s config.Settings, warn func(string)) (*api.Certificate, error) {
	if s.APITLSCert == "" {
		return nil, nil
	}
	for setting, file := range map[string]string{"ICIMS_EXPORT_API_TLS_CERT": s.APITLSCert, "ICIMS_EXPORT_API_TLS_KEY": s.APITLSKey} {
		if _, err := os.Stat(file); err != nil {
			return nil, usageError("%s cannot be read (%s): correct %s", file, rootCause(err), setting)
		}
	}
	cert, err := api.ReadCertificate(s.APITLSCert, s.APITLSKey)
	if err != nil {
		return nil, usageError("%s and %s are not a certificate with its key (%s): both must be PEM and match", s.APITLSCert, s.APITLSKey, rootCause(err))
	}
	if warning := config.ExposedFile("the certificate's key", s.APITLSKey); warning != "" {
		warn(warning)
	}
	return cert, nil
}

func rereadCertificate(cert *api.Certificate, log zerolog.Logger) {
	if cert == nil {
		return
	}
	if err := cert.Reread(); err != nil {
		log.Error().Str("problem", rootCause(err)).Msg("could not reload the certificate; keeping the old one")
		return
	}
	log.Info().Msg("certificate reloaded")
}

// warnServing logs settings of the API that may be unintended.
func warnServing(ctx context.Context, ledger *store.Ledger, addr net.Addr, overTLS bool, log zerolog.Logger) error {
	if tcp, ok := addr.(*net.TCPAddr); ok && !overTLS && !tcp.IP.IsLoopback() {
		log.Warn().Msg("AT RISK: other machines can reach this address without encryption, which exposes API keys: set api_tls_cert and api_tls_key, or put a TLS proxy in front")
	}
	keys, err := ledger.Access.APIKeys(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, k := range keys {
		if k.Usable(now) && k.Name != "" {
			return nil
		}
	}
	log.Warn().Msg("no usable API key: create one with icims-export apikeys new")
	return nil
}

// logRisks logs Redis settings that may lose exports.
func logRisks(ctx context.Context, s config.Settings, client redis.UniversalClient, log zerolog.Logger) error {
	risks, err := store.Risks(ctx, client)
	if err != nil {
		return redisFailed(s, err)
	}
	for _, risk := range risks {
		log.Error().Msg("AT RISK: " + risk)
	}
	return nil
}
