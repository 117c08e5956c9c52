package worker

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/traces"
	"github.com/seekout/icims-export/worker/control"
)

// tracer records exports and control tasks as spans. A nil tracer records nothing. An unsampled
// trace has only its first span.
type tracer struct{ trace.Tracer }

// TraceTo records spans with a provider. Call it before Start.
func (w *Worker) TraceTo(provider trace.TracerProvider) {
	if provider != nil {
		w.tracer = &tracer{provider.Tracer(traces.Scope)}
	}
}

// exportTrace is the span of one attempt at an export; nil: not recorded.
type exportTrace struct {
	*tracer

	span    trace.Span
	outcome outcome
}

// export starts the span of a task. A task of a small batch belongs to the trace of its batch.
func (t *tracer) export(ctx context.Context, task task) (context.Context, *exportTrace) {
	if t == nil {
		return ctx, nil
	}
	within := ctx
	if parent := traces.Remote(task.Parent); parent.IsValid() {
		within = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	queue := "bulk"
	if task.Express {
		queue = "express"
	}
	within, span := t.Start(within, "export", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(traces.Customer.String(task.Customer), traces.Queue.String(queue)))
	if !span.IsRecording() {
		span.End()
		return ctx, nil
	}
	return within, &exportTrace{tracer: t, span: span}
}

// setOutcome sets the attempt's outcome.
func (j *exportTrace) setOutcome(o outcome) {
	if j != nil {
		j.outcome = o
	}
}

// end ends the span with the export's IDs and outcome.
func (j *exportTrace) end(x *export) {
	if j == nil {
		return
	}
	j.span.SetAttributes(traces.Export.String(x.ref.Export))
	if c := x.claim; c != nil {
		j.span.SetAttributes(traces.Batch.String(string(c.Batch)), traces.Attempt.Int(c.Attempts+1))
		if from := traces.Remote(c.Trace); from.IsValid() && from.TraceID() != j.span.SpanContext().TraceID() {
			j.span.AddLink(trace.Link{SpanContext: from})
		}
	}
	endWith(j.span, j.outcome)
}

// stage starts the span of a stage.
func (j *exportTrace) stage(ctx context.Context, name string) (context.Context, trace.Span) {
	if j == nil {
		return ctx, nil
	}
	return j.Start(ctx, name) //nolint:spancheck // endWith and endSpan end it
}

// traceID returns the trace's ID for the log; empty: not recorded.
func (j *exportTrace) traceID() string {
	if j == nil {
		return ""
	}
	return j.span.SpanContext().TraceID().String()
}

// endWith ends a span with an outcome. It leaves out the texts of errors.
func endWith(span trace.Span, o outcome) {
	if span == nil {
		return
	}
	if o.kind != proceed {
		span.SetAttributes(traces.Outcome.String(o.kind.String()))
	}
	if o.reason != "" {
		span.SetAttributes(traces.Reason.String(string(o.reason)))
	}
	switch o.kind {
	case dead, retry, unknown, fault:
		span.SetStatus(codes.Error, string(o.reason))
	default:
	}
	span.End()
}

// endSpan ends a span without an outcome.
func endSpan(span trace.Span) {
	if span != nil {
		span.End()
	}
}

// waitStart returns the start time of a wait.
func (j *exportTrace) waitStart() time.Time {
	if j == nil {
		return time.Time{}
	}
	return time.Now()
}

// waited adds a successful wait to the span of ctx.
func (j *exportTrace) waited(ctx context.Context, what string, since time.Time, err error) {
	if j != nil && err == nil {
		noteWait(trace.SpanFromContext(ctx), what, since)
	}
}

func noteWait(span trace.Span, what string, since time.Time) {
	span.AddEvent(what, trace.WithAttributes(traces.Waited.Int64(time.Since(since).Milliseconds())))
}

// around wraps the layers of a lane's API client. The outermost layer creates a span for each
// call of a recorded export. The innermost notes when the call has its permit.
func (t *tracer) around(layers []icims.Middleware) []icims.Middleware {
	if t == nil {
		return layers
	}
	outer := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) { return t.call(next, req) })
	}
	inner := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if c, ok := req.Context().Value(callKey{}).(call); ok {
				noteWait(trace.SpanFromContext(req.Context()), "permit granted", c.began)
			}
			return next.RoundTrip(req)
		})
	}
	all := append([]icims.Middleware{outer}, layers...)
	return append(all, inner)
}

type callKey struct{}

// call is a call in progress.
type call struct{ began time.Time }

// call records one call. It sends no trace header to iCIMS.
func (t *tracer) call(next http.RoundTripper, req *http.Request) (*http.Response, error) {
	if !trace.SpanFromContext(req.Context()).IsRecording() {
		return next.RoundTrip(req)
	}
	op := icims.OpOf(req.Context())
	ctx, span := t.Start(req.Context(), op.Name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		traces.Operation.String(op.Name), traces.Method.String(op.Method), traces.Template.String(op.Pattern)))
	defer span.End()
	answer, err := next.RoundTrip(req.WithContext(context.WithValue(ctx, callKey{}, call{time.Now()})))
	span.SetAttributes(traces.Sent.String(icims.SentOf(req.Context()).String()))
	switch refused, ok := errors.AsType[*icims.RefusedError](err); {
	case ok:
		span.SetAttributes(traces.Reason.String(string(refused.Reason)))
		span.SetStatus(codes.Error, "refused before it was sent")
	case err != nil:
		span.SetStatus(codes.Error, "no answer")
	default:
		span.SetAttributes(traces.Status.Int(answer.StatusCode))
		if answer.StatusCode >= http.StatusBadRequest {
			span.SetStatus(codes.Error, "")
		}
	}
	return answer, err
}

// controlTask starts the trace of a run of a control task, and returns the function that ends it.
func (t *tracer) controlTask(ctx context.Context, c store.ControlTask) (context.Context, func(control.End, store.ControlFailure, int)) {
	if t == nil {
		return ctx, func(control.End, store.ControlFailure, int) {}
	}
	//nolint:spancheck // what is returned ends it
	ctx, span := t.Start(ctx, "control task "+string(c.Kind), trace.WithNewRoot(), trace.WithAttributes(
		traces.Customer.String(c.Customer), traces.ControlTask.String(c.ID), traces.Kind.String(string(c.Kind)), traces.Attempt.Int(c.Tries)))
	return ctx, func(how control.End, why store.ControlFailure, calls int) { //nolint:spancheck // it ends the span
		if why != "" {
			span.SetAttributes(traces.Reason.String(string(why)))
			span.SetStatus(codes.Error, string(why))
		}
		span.SetAttributes(traces.Outcome.String(string(how)), traces.Calls.Int(calls))
		span.End()
	}
}
