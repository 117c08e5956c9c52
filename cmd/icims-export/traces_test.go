package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// collector stores what it receives.
type collector struct {
	*httptest.Server

	mu  sync.Mutex
	got bytes.Buffer
}

func collect(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.got.Write(body)
	}))
	t.Cleanup(c.Close)
	return c
}

// has reports whether it has received all texts.
func (c *collector) has(texts ...string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range texts {
		if !bytes.Contains(c.got.Bytes(), []byte(text)) {
			return false
		}
	}
	return true
}

func (c *collector) sent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got.Len()
}

func TestTraces(t *testing.T) {
	demo := []string{"demo", "--json", "--candidates=10"}

	t.Run("go where the setting says, from producer and worker", func(t *testing.T) {
		c := collect(t)
		call(t, append(demo, "--otlp-endpoint="+c.URL)...).wantStatus(t, statusDone)
		if !c.has("icims-export", "accept chunk", "people.create", "record") {
			t.Error("spans are missing")
		}
		if c.has("@example") {
			t.Error("an address was sent")
		}
	})
	t.Run("go where OpenTelemetry's own variable says", func(t *testing.T) {
		c := collect(t)
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
		t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=made-up")
		call(t, demo...).wantStatus(t, statusDone)
		if !c.has("people.create", "made-up") {
			t.Error("spans are missing")
		}
	})
	t.Run("go nowhere", func(t *testing.T) {
		c := collect(t)
		for name, env := range map[string][2]string{
			"where they are turned off":    {"OTEL_SDK_DISABLED", "true"},
			"where no exporter is wanted":  {"OTEL_TRACES_EXPORTER", "none"},
			"where gRPC is asked for":      {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
			"where the address is no good": {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://user:secret@127.0.0.1:1"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
				t.Setenv(env[0], env[1])
				r := call(t, demo...)
				r.wantStatus(t, statusDone)
				r.wantNone(t, "secret")
				said := strings.Contains(r.errors, "nothing is traced")
				if mustSay := env[0] != "OTEL_SDK_DISABLED" && env[0] != "OTEL_TRACES_EXPORTER"; c.sent() > 0 || said != mustSay {
					t.Errorf("%d bytes sent; stderr: %s", c.sent(), r.errors)
				}
			})
		}
	})
}
