// Package otlp delivers spans to an OpenTelemetry collector, by OTLP over HTTP. A
// collector that is away or slow costs spans, never time.
package otlp

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"github.com/seekout/icims-export/traces"
)

// Settings say where spans go, and how many.
type Settings struct {
	// Endpoint is the collector's address, such as http://127.0.0.1:4318; below it
	// spans go to /v1/traces.
	Endpoint string
	// Ratio is which part of the traces is recorded that begin here, from 0 to 1. One
	// that began elsewhere is recorded if it is recorded there.
	Ratio float64
	// Version of the program.
	Version string
}

const (
	// service is the name of the program, unless OTEL_SERVICE_NAME gives another.
	service = "icims-export"
	// flushTime bounds how long the last spans may take at the end.
	flushTime = 3 * time.Second
)

// Start begins to deliver. What OpenTelemetry's own variables say about headers,
// certificates, time-outs, queues, the resource and the sampler holds. stop delivers
// what is left, for at most three seconds.
func Start(ctx context.Context, s Settings, log zerolog.Logger) (provider api.TracerProvider, stop func(), err error) {
	target, err := traces.ParseEndpoint(s.Endpoint)
	if err != nil {
		return nil, nil, err
	}
	client, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(target))
	if err != nil {
		return nil, nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", service), attribute.String("service.version", s.Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil && about == nil {
		return nil, nil, fmt.Errorf("traces: %w", err)
	}
	out := newDelivery(client, log)
	options := []trace.TracerProviderOption{trace.WithBatcher(out), trace.WithResource(about)}
	if os.Getenv("OTEL_TRACES_SAMPLER") == "" {
		options = append(options, trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(s.Ratio))))
	}
	sdk := trace.NewTracerProvider(options...)
	return sdk, func() {
		ending, cancel := context.WithTimeout(context.Background(), flushTime)
		defer cancel()
		if err := sdk.Shutdown(ending); err != nil {
			log.Warn().Msg("the last traces could not be delivered in time")
		}
		out.giveUp()
	}, nil
}
