package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seekout/icims-export/metrics"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// answering serves one response for /readyz and another for all other paths.
func answering(readyz int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			_, _ = w.Write([]byte(`{"status":"ok"}`))
			return
		}
		w.WriteHeader(readyz)
		_, _ = w.Write([]byte(body))
	})
}

func TestHealthReportsTheResponse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code   int
		body   string
		path   string
		args   []string
		status int
		says   string
	}{
		"one that is well": {code: 200, body: `{"status":"ready","checks":[{"check":"redis","ok":true}]}`, says: "/readyz answers 200 OK.\n"},
		"a worker that is not": {
			code: 503, body: `{"status":"not_ready","checks":[{"check":"redis","ok":false,"problem":"It is gone.","remedy":"Start it."},{"check":"ledger","ok":false,"problem":"It is gone.","remedy":"Start it."},{"check":"lanes","ok":true}]}`,
			status: statusFailed, says: "answers 503 Service Unavailable. It is gone. Start it.\n",
		},
		"an API that is not":                   {code: 503, body: `{"title":"Unavailable","detail":"Redis is full. Free it."}`, status: statusFailed, says: "503 Service Unavailable. Redis is full. Free it.\n"},
		"a risk, which is told":                {code: 200, body: `{"at_risk":["Redis may evict keys"]}`, says: "200 OK. At risk: Redis may evict keys.\n"},
		"what is no service of ours":           {code: 404, body: "<html>\x1b[31m", status: statusFailed, says: "answers 404 Not Found.\n"},
		"one that is alive though not ready":   {code: 503, args: []string{"--live"}, says: "/healthz answers 200 OK.\n"},
		"a path that is given is asked for":    {code: 503, path: "/_sim/state", says: "/_sim/state answers 200 OK.\n"},
		"an address elsewhere is not followed": {code: 307, status: statusFailed, says: "answers 307 Temporary Redirect.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answering(c.code, c.body))
			defer server.Close()
			r := call(t, append([]string{"health", server.URL + c.path}, c.args...)...)
			r.wantStatus(t, c.status)
			if said := r.out + r.errors; !strings.HasSuffix(said, c.says) {
				t.Errorf("it says %q, want %q", said, c.says)
			}
		})
	}
}

// fastClock is a clock that advances by a minute on each call.
type fastClock struct{ at time.Time }

func (f *fastClock) now() time.Time {
	f.at = f.at.Add(time.Minute)
	return f.at
}

func TestHealthReportsNoResponse(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // never accepts
	r := call(t, "health", "http://"+listener.Addr().String(), "--timeout=10ms")
	r.wantStatus(t, statusFailed)
	if !strings.Contains(r.errors, "does not answer within 10ms") {
		t.Errorf("it says %s", r.errors)
	}
	listener.Close()
	r = call(t, "health", "http://"+listener.Addr().String())
	r.wantStatus(t, statusFailed)
	if !strings.Contains(r.errors, "does not answer (connection refused)") {
		t.Errorf("it says %s", r.errors)
	}
}

func TestHealthUsesTheConfiguredAddress(t *testing.T) {
	server := httptest.NewUnstartedServer(answering(http.StatusOK, ""))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake is refused
	server.StartTLS()
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("at the API's, whose certificate has another name", func(t *testing.T) {
		r := call(t, "health", "--api-listen=:"+port, "--api-tls-cert=x", "--api-tls-key=x")
		r.wantStatus(t, statusDone)
		if r.out != "https://127.0.0.1:"+port+"/readyz answers 200 OK.\n" {
			t.Errorf("it says %s", r.out)
		}
	})
	t.Run("a foreign certificate is verified", func(t *testing.T) {
		r := call(t, "health", server.URL)
		r.wantStatus(t, statusFailed)
		if !strings.Contains(r.errors, "certificate") {
			t.Errorf("it says %s", r.errors)
		}
	})
	t.Run("at that of its metrics before", func(t *testing.T) {
		redis := redistest.Start(t)
		client := redis.Client(t)
		keys, err := store.NewKeyset()
		if err != nil {
			t.Fatal(err)
		}
		h := &metrics.Health{Redis: client, Writes: store.NewWriteProbe(store.NewLedger(client, keys).Checks.Writable, (&fastClock{}).now)}
		worker := httptest.NewServer(metrics.Handler(metrics.NewRegistry(), h))
		defer worker.Close()
		t.Setenv("ICIMS_EXPORT_METRICS_LISTEN", strings.TrimPrefix(worker.URL, "http://"))
		r := call(t, "health")
		r.wantStatus(t, statusDone)
		if !strings.Contains(r.out, "/readyz answers 200 OK. At risk: ") {
			t.Errorf("it says %s", r.out)
		}
		redis.Kill(t)
		r = call(t, "health")
		r.wantStatus(t, statusFailed)
		if !strings.Contains(r.errors, "answers 503 Service Unavailable. Redis cannot be reached") || !strings.Contains(r.errors, "Start Redis, correct ICIMS_EXPORT_REDIS_URL") {
			t.Errorf("it says %s", r.errors)
		}
	})
}

func TestHealthUsageErrors(t *testing.T) {
	t.Parallel()
	redis := miniredis.RunT(t)
	for _, args := range [][]string{
		{"redis://" + redis.Addr()}, {"127.0.0.1:8080"}, {"http://user:secret@127.0.0.1"}, {"http://127.0.0.1", "--timeout=0s"}, {"--metrics-listen=nowhere"},
	} {
		r := call(t, append([]string{"health"}, args...)...)
		r.wantStatus(t, statusUsage)
		r.wantNone(t, "secret")
	}
}
