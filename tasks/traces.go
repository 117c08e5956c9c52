package tasks

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/traces"
)

// WithTraces records a span for each batch and each of its chunks. The workers' spans are linked to
// it, or part of it for the express queue (docs/tracing.md).
func WithTraces(provider trace.TracerProvider) ClientOption {
	return func(c *Client) {
		if provider != nil {
			c.tracer = provider.Tracer(traces.Scope)
		}
	}
}

// begin starts a child span of ctx; nil if the trace is not recorded.
func (c *Client) begin(ctx context.Context, name string, kind trace.SpanKind, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
	within, span := c.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
	if !span.IsRecording() {
		span.End()
		return ctx, nil
	}
	return within, span
}

// traced is enqueue within a span.
func (c *Client) traced(ctx context.Context, b input.Batch) (Receipt, error) {
	ctx, span := c.begin(ctx, "enqueue", trace.SpanKindProducer, traces.Customer.String(b.Customer))
	if span == nil {
		return c.enqueue(ctx, b, "")
	}
	defer span.End()
	receipt, err := c.enqueue(ctx, b, traces.Parent(ctx))
	span.SetAttributes(traces.Batch.String(string(receipt.Batch)), traces.Accepted.Int(receipt.Accepted), traces.Refused.Int(receipt.RefusedRows()))
	if err != nil {
		span.SetStatus(codes.Error, "") // the error may quote the input
	}
	return receipt, err
}

// tracedChunk is write within a span.
func (s *submission) tracedChunk(ctx context.Context, chunk []store.NewExport, rows store.Rows, r *chunkResult) {
	ctx, span := s.client.begin(ctx, "accept chunk", trace.SpanKindInternal,
		traces.Customer.String(s.batch.Customer), traces.Batch.String(string(s.receipt.Batch)), traces.Rows.Int(len(chunk)))
	if span == nil {
		s.write(ctx, chunk, rows, r)
		return
	}
	defer span.End()
	s.write(ctx, chunk, rows, r)
	span.SetAttributes(traces.Accepted.Int(r.accepted))
	if r.err != nil {
		span.SetStatus(codes.Error, "")
	}
}
