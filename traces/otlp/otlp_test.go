package otlp_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/traces/otlp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector stores what it receives, and responds once it is released.
type collector struct {
	*httptest.Server

	mu   sync.Mutex
	got  bytes.Buffer
	path string
}

func collect(t *testing.T, may <-chan struct{}, status int) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		select {
		case <-may:
		case <-r.Context().Done():
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.path = r.URL.Path
		c.got.Write(body)
		w.WriteHeader(status)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) has(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Contains(c.got.Bytes(), []byte(text))
}

func start(t *testing.T, endpoint string, ratio float64) (trace.Tracer, func(), *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	provider, stop, err := otlp.Start(t.Context(), otlp.Settings{Endpoint: endpoint, Ratio: ratio, Version: "v9.9.9"}, zerolog.New(zerolog.SyncWriter(&log)))
	if err != nil {
		t.Fatal(err)
	}
	return provider.Tracer("test"), stop, &log
}

func always() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func TestSpansAreDeliveredAtTheLatestAtTheEnd(t *testing.T) {
	c := collect(t, always(), http.StatusOK)
	tracer, stop, log := start(t, c.URL, 1)
	_, span := tracer.Start(t.Context(), "a made-up span")
	span.End()
	stop()
	if !c.has("a made-up span") || !c.has("icims-export") || !c.has("v9.9.9") || c.path != "/v1/traces" || log.Len() > 0 {
		t.Errorf("at %s: %q; log %s", c.path, c.got.String(), log)
	}
}

func TestTheRatioDecidesWhatIsRecorded(t *testing.T) {
	c := collect(t, always(), http.StatusOK)
	tracer, stop, _ := start(t, c.URL, 0)
	_, span := tracer.Start(t.Context(), "a made-up span")
	sampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	_, follower := tracer.Start(trace.ContextWithRemoteSpanContext(t.Context(), sampled), "of a caller")
	span.End()
	follower.End()
	stop()
	if c.has("a made-up span") || !c.has("of a caller") {
		t.Errorf("%q", c.got.String())
	}
}

// TestACollectorThatHangsIsWaitedForByNobody: the collector responds only at the end of the test.
// If anything waited for it, the test would not end.
func TestACollectorThatHangsIsWaitedForByNobody(t *testing.T) {
	answers := make(chan struct{})
	c := collect(t, answers, http.StatusOK)
	tracer, stop, log := start(t, c.URL, 1)
	for range 10_000 { // far more than are queued
		_, span := tracer.Start(t.Context(), "a made-up span")
		span.End()
	}
	stop()
	close(answers)
	if !strings.Contains(log.String(), "last traces in time") {
		t.Errorf("log %s", log)
	}
}

func TestACollectorThatIsAwayIsToldOnce(t *testing.T) {
	c := collect(t, always(), http.StatusBadRequest)
	tracer, stop, log := start(t, c.URL, 1)
	for range 2_000 { // in several requests
		_, span := tracer.Start(t.Context(), "a made-up span")
		span.End()
	}
	stop()
	if n := strings.Count(log.String(), "cannot export traces"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	tracer, stop, log = start(t, gone.URL, 1)
	_, span := tracer.Start(t.Context(), "a made-up span")
	span.End()
	stop()
	if log.Len() == 0 {
		t.Error("an unreachable collector is not logged")
	}
}
