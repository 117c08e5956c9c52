package api

import (
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seekout/icims-export/tasks"
)

func TestAnExportContinuesItsCallersTrace(t *testing.T) {
	t.Parallel()
	const traceID, spanID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for name, spec := range map[string]struct {
		header string
		parent string
	}{
		"named in W3C's header": {"00-" + traceID + "-" + spanID + "-01", spanID},
		"that is no trace":      {"00-somebody@example.com", "0000000000000000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := tracetest.NewInMemoryExporter()
			provider := trace.NewTracerProvider(trace.WithSyncer(seen))
			r := newRig(t, func(d *Deps) { d.Producer = tasks.NewClient(d.Redis, d.Ledger, tasks.WithTraces(provider)) })
			r.connect("1234")
			r.call(r.key(ScopeExport, "1234"), http.MethodPost, "/v1/customers/1234/exports?job=1709", row("c-1"),
				"Content-Type", "application/x-ndjson", "traceparent", spec.header).is(http.StatusAccepted, nil)
			spans := seen.GetSpans()
			if len(spans) != 2 || spans[1].Name != "enqueue" || spans[1].Parent.SpanID().String() != spec.parent {
				t.Errorf("spans %+v", spans)
			}
		})
	}
}
