// Package otlp exports spans to an OpenTelemetry collector by OTLP over HTTP. An unreachable or
// slow collector loses spans but never delays work.
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

// Settings configures the export of spans.
type Settings struct {
	// Endpoint is the collector's address, for example http://127.0.0.1:4318. Spans go to
	// /v1/traces below it.
	Endpoint string
	// Ratio is the share of traces to record, 0 to 1, if they start here. A trace that started
	// elsewhere is recorded if it is recorded there.
	Ratio float64
	// Version is the program's version.
	Version string
}

const (
	// service is the program's name, unless OTEL_SERVICE_NAME is set.
	service = "icims-export"
	// flushTime is the timeout for the last spans.
	flushTime = 3 * time.Second
)

// Start starts the export. OpenTelemetry's own variables for headers, certificates, timeouts,
// queues, resource and sampler apply. stop exports the remaining spans, for at most three seconds.
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
			log.Warn().Msg("cannot export the last traces in time")
		}
		out.giveUp()
	}, nil
}
