package main

import (
	"context"
	"strings"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"

	"github.com/seekout/icims-export/traces/otlp"
)

// traces starts exporting spans if a collector is configured; otherwise the provider is nil. flush
// exports the remaining spans.
func (p *process) traces(ctx context.Context, log zerolog.Logger) (provider trace.TracerProvider, flush func(), err error) {
	none := func() {}
	s := otlp.Settings{Endpoint: p.settings.OTLPEndpoint, Ratio: p.settings.TraceRatio}
	s.Version, _ = versions()
	ours := s.Endpoint != ""
	if !ours {
		s.Endpoint = p.standardEndpoint(log)
	}
	if s.Endpoint == "" || p.env("OTEL_SDK_DISABLED") == "true" {
		return nil, none, nil
	}
	provider, flush, err = otlp.Start(ctx, s, log)
	switch {
	case err != nil && ours:
		return nil, none, usageError("ICIMS_EXPORT_OTLP_ENDPOINT: %s", rootCause(err))
	case err != nil:
		log.Warn().Str("problem", rootCause(err)).Msg("OTEL_EXPORTER_OTLP_ENDPOINT is invalid, so nothing is traced")
		return nil, none, nil
	}
	return provider, flush, nil
}

// standardEndpoint returns the traces collector of OpenTelemetry's own variables; "" for none.
func (p *process) standardEndpoint(log zerolog.Logger) string {
	endpoint, protocol := p.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), p.env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if endpoint == "" {
		endpoint = p.env("OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	if protocol == "" {
		protocol = p.env("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	if endpoint == "" || p.env("OTEL_TRACES_EXPORTER") == "none" {
		return ""
	}
	if strings.EqualFold(protocol, "grpc") {
		log.Warn().Msg("OTEL_EXPORTER_OTLP_PROTOCOL is grpc, which is not supported, so nothing is traced: set ICIMS_EXPORT_OTLP_ENDPOINT to an http/protobuf endpoint")
		return ""
	}
	return endpoint
}

func (p *process) env(name string) string {
	value, _ := p.lookupEnv(name)
	return value
}
