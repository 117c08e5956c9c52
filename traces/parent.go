package traces

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Header is the name of the parent in a task, as in HTTP.
const Header = "traceparent"

// Parent returns the span of ctx in W3C Trace Context format, or "" if it is not recorded. It omits
// the vendors' trace state, whose content is unknown.
func Parent(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); !sc.IsValid() || !sc.IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[Header]
}

// Remote parses the result of Parent. It returns an invalid span context for other text.
func Remote(parent string) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{Header: parent})
	return trace.SpanContextFromContext(ctx)
}

// Incoming returns ctx with the span in a request's headers as parent.
func Incoming(ctx context.Context, header http.Header) context.Context {
	sc := Remote(header.Get(Header))
	if !sc.IsValid() {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, sc)
}
