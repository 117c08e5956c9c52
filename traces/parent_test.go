package traces_test

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/seekout/icims-export/traces"
)

func TestParentIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 2}, SpanID: trace.SpanID{3}, TraceFlags: trace.FlagsSampled})
	state, err := trace.ParseTraceState("vendor=ana.duarte")
	if err != nil {
		t.Fatal(err)
	}
	name := traces.Parent(trace.ContextWithSpanContext(t.Context(), sc.WithTraceState(state)))
	if strings.Contains(name, "ana") || !traces.Remote(name).Equal(sc.WithRemote(true)) {
		t.Errorf("%q is read as %v", name, traces.Remote(name))
	}
	if name := traces.Parent(trace.ContextWithSpanContext(t.Context(), sc.WithTraceFlags(0))); name != "" {
		t.Errorf("%q for what is not recorded", name)
	}
	if name := traces.Parent(t.Context()); name != "" {
		t.Errorf("%q for nothing", name)
	}
	for _, text := range []string{"", "00-0-0-01", "ana.duarte@example.com", strings.Repeat("0", 1000)} {
		if traces.Remote(text).IsValid() {
			t.Errorf("%q is read as a span", text)
		}
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"http://127.0.0.1:4318":                     "http://127.0.0.1:4318/v1/traces",
		"https://collector.example.com/":            "https://collector.example.com/v1/traces",
		"https://collector.example.com/otlp":        "https://collector.example.com/otlp/v1/traces",
		"http://collector:4318/v1/traces":           "http://collector:4318/v1/traces",
		"collector:4318":                            "",
		"ftp://collector":                           "",
		"":                                          "",
		"https://user:secret@collector.example.com": "",
		"https://collector.example.com/?key=secret": "",
	} {
		got, err := traces.ParseEndpoint(endpoint)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q becomes %q, %v", endpoint, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
}
