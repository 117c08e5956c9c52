// Package traces contains what the spans of producer and worker share: their attributes, and how a
// span is passed to another process. It needs only OpenTelemetry's API; package otlp exports spans.
package traces
