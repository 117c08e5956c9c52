package traces

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Header is the name under which a task carries its parent, as in HTTP.
const Header = "traceparent"

// Parent names the span of ctx to another process, as W3C Trace Context does; empty
// where it is not recorded, since nobody could follow it. The state that vendors add
// to a trace is left out: nobody knows what is in it.
func Parent(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); !sc.IsValid() || !sc.IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[Header]
}

// Remote is the span that Parent named; one that is not valid where the text is no
// such name.
func Remote(parent string) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{Header: parent})
	return trace.SpanContextFromContext(ctx)
}

// Incoming makes the span that a request's headers name the parent of what is done
// with ctx.
func Incoming(ctx context.Context, header http.Header) context.Context {
	sc := Remote(header.Get(Header))
	if !sc.IsValid() {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, sc)
}
