// Package traces is what the spans of producer and worker have in common: the
// attributes that they may carry, and how a span is named to another process. It
// needs OpenTelemetry's API alone; package otlp delivers what is recorded.
package traces
