package metrics_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/metrics"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// ask requests a path of a process's health server.
func ask(t *testing.T, h *metrics.Health, path string) (int, metrics.Readiness, string) {
	t.Helper()
	answer := httptest.NewRecorder()
	metrics.Handler(metrics.NewRegistry(), h).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var r metrics.Readiness
	if strings.HasPrefix(answer.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(body, &r); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
	}
	return answer.Code, r, string(body)
}

func TestReadyTellsWhatIsWrongWithRedis(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options       []redistest.Option
		spoil         func(t *testing.T, s *redistest.Server, client redis.UniversalClient)
		redis, ledger bool
		says, risk    string
	}{
		"all is well": {redis: true, ledger: true, options: []redistest.Option{redistest.AppendOnly("everysec"), redistest.Config("maxmemory-policy", "noeviction")}},
		"a full memory": {redis: true, says: "its memory is full", spoil: func(t *testing.T, _ *redistest.Server, client redis.UniversalClient) {
			set(t, client, "maxmemory", "1mb")
		}},
		"a read-only replica": {redis: true, says: "read-only replica", spoil: func(t *testing.T, _ *redistest.Server, client redis.UniversalClient) {
			if err := client.SlaveOf(t.Context(), "127.0.0.1", "1").Err(); err != nil {
				t.Fatal(err)
			}
		}},
		"too few replicas": {redis: true, says: "too few replicas", spoil: func(t *testing.T, _ *redistest.Server, client redis.UniversalClient) {
			set(t, client, "min-replicas-to-write", "1")
		}},
		"a full disk": {redis: true, says: "it cannot persist them", options: []redistest.Option{redistest.Config("save", "3600 1"), redistest.Config("enable-protected-configs", "yes")},
			spoil: func(t *testing.T, s *redistest.Server, _ redis.UniversalClient) { redistest.FailSaving(t, s) }},
		"an unreachable Redis": {says: "cannot be reached", spoil: func(t *testing.T, s *redistest.Server, _ redis.UniversalClient) {
			s.Kill(t)
		}},
		"a Redis that may evict is a risk, but works": {redis: true, ledger: true, risk: "may evict keys", spoil: func(t *testing.T, _ *redistest.Server, client redis.UniversalClient) {
			set(t, client, "maxmemory-policy", "allkeys-lru")
		}},
		"a Redis that persists nothing is a risk, but works": {redis: true, ledger: true, risk: "append-only", options: []redistest.Option{redistest.Config("appendonly", "no")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, c.options...)
			client := server.Client(t)
			if c.spoil != nil {
				c.spoil(t, server, client)
			}
			h := &metrics.Health{Redis: client, Writes: newWrites(newLedger(t, client))}
			status, r, _ := ask(t, h, "/readyz")
			if good := c.redis && c.ledger; r.Ready() != good || (status == http.StatusOK) != good {
				t.Fatalf("got %d %+v", status, r)
			}
			if r.Checks[0].OK != c.redis || r.Checks[1].OK != c.ledger {
				t.Errorf("got %+v", r.Checks)
			}
			if last := r.Checks[1]; !strings.Contains(last.Problem, c.says) || (last.Remedy == "") != c.ledger {
				t.Errorf("it says %q, and to do %q", last.Problem, last.Remedy)
			}
			if risks := strings.Join(r.AtRisk, "; "); !strings.Contains(risks, c.risk) {
				t.Errorf("at risk: %q", risks)
			}
			if status, _, _ := ask(t, h, "/healthz"); status != http.StatusOK {
				t.Errorf("it is to be restarted, which does not help: %d", status)
			}
		})
	}
}

func TestReadinessAndMetricsShareALookAtRedis(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	ledger, looks, now := newLedger(t, client), 0, time.Now()
	writes := store.NewWriteProbe(func(ctx context.Context) error {
		looks++
		return ledger.Checks.Writable(ctx)
	}, func() time.Time { return now })
	h := &metrics.Health{Redis: client, Writes: writes}
	registry := metrics.NewRegistry()
	registry.MustRegister(h)
	handler := metrics.Handler(registry, h)
	for range 3 {
		for _, path := range []string{"/readyz", "/metrics"} {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
			if answer.Code != http.StatusOK {
				t.Errorf("%s: got %d", path, answer.Code)
			}
		}
	}
	if looks != 1 {
		t.Errorf("Redis was written to %d times within a second", looks)
	}
}

// TestRisksAreCountedWithoutCONFIG: settings are risks whether or not the Redis user may read them
// with CONFIG. Unreadable settings count as a risk.
func TestRisksAreCountedWithoutCONFIG(t *testing.T) {
	t.Parallel()
	evicts, forbidden := redistest.Config("maxmemory-policy", "allkeys-lru"), func(command string) redistest.Option {
		return redistest.Config("rename-command", command+` ""`)
	}
	for name, c := range map[string]struct {
		options []redistest.Option
		risks   float64
		says    string
	}{
		"all is well":                       {[]redistest.Option{redistest.AppendOnly("everysec")}, 0, ""},
		"CONFIG is allowed":                 {[]redistest.Option{evicts}, 2, "may evict keys"},
		"CONFIG is refused":                 {[]redistest.Option{evicts, forbidden("CONFIG")}, 2, "may evict keys"},
		"CONFIG, INFO are refused":          {[]redistest.Option{evicts, forbidden("CONFIG"), forbidden("INFO")}, 1, "could not be checked"},
		"all is well, not CONFIG":           {[]redistest.Option{redistest.AppendOnly("everysec"), forbidden("CONFIG")}, 0, ""},
		"the user may do nothing dangerous": {[]redistest.Option{evicts, redistest.Config("user", "default on nopass ~* &* +@all -@dangerous")}, 1, "could not be checked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := redistest.Start(t, c.options...).Client(t)
			h := &metrics.Health{Redis: client, Writes: newWrites(newLedger(t, client))}
			registry := metrics.NewRegistry()
			registry.MustRegister(h)
			if n := value(t, registry, "redis_risks"); n != c.risks {
				t.Errorf("%v risks, want %v", n, c.risks)
			}
			if _, r, _ := ask(t, h, "/readyz"); !strings.Contains(strings.Join(r.AtRisk, "; "), c.says) || len(r.AtRisk) != int(c.risks) {
				t.Errorf("at risk: %q", r.AtRisk)
			}
		})
	}
}

func set(t *testing.T, client redis.UniversalClient, name, value string) {
	t.Helper()
	if err := client.ConfigSet(t.Context(), name, value).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestReadyTellsWhetherLanesAreServed(t *testing.T) {
	t.Parallel()
	r := newRig(t, icimstest.Config{Latency: icimstest.Latency{None: true}}, false)
	is := func(status int, says string) {
		t.Helper()
		got, ready, _ := ask(t, r.health, "/readyz")
		if last := ready.Checks[len(ready.Checks)-1]; got != status || last.Name != "lanes" || last.OK != (status == http.StatusOK) || !strings.Contains(last.Problem, says) {
			t.Errorf("got %d %+v", got, ready)
		}
		if got, _, _ := ask(t, r.health, "/healthz"); got != http.StatusOK {
			t.Errorf("healthz says %d", got)
		}
	}
	is(http.StatusServiceUnavailable, "not begun yet")
	r.start()
	r.eventually("it is ready", func() bool { return r.worker.Ready() == nil })
	is(http.StatusOK, "")
	r.worker.Stop()
	is(http.StatusServiceUnavailable, "being stopped")
}

func TestHandlerAnswersWhatItIsThereFor(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	h := &metrics.Health{Redis: client, Writes: newWrites(newLedger(t, client))}
	if status, _, body := ask(t, h, "/metrics"); status != http.StatusOK || !has(body, "go_goroutines", "process_cpu_seconds_total", "go_build_info") {
		t.Errorf("got %d %.200s", status, body)
	}
	for _, path := range []string{"/", "/debug/pprof/", "/v1/whoami"} {
		if status, _, _ := ask(t, h, path); status != http.StatusNotFound {
			t.Errorf("%s: got %d", path, status)
		}
	}
}

func TestTroublesOfRedisAreCounted(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	registry := metrics.NewRegistry()
	metrics.WatchRedis(registry, client)
	ctx := t.Context()
	ledger := newLedger(t, client)
	_ = client.Get(ctx, "there is none").Err()
	if _, err := ledger.QuotaStatuses(ctx, "1"); err != nil { // loads a script
		t.Fatal(err)
	}
	if n := value(t, registry, "redis_errors_total"); n != 0 {
		t.Errorf("%v troubles without any", n)
	}
	set(t, client, "maxmemory", "1mb")
	_ = ledger.Checks.Writable(ctx)
	_, _ = client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Get(ctx, "x")
		p.Set(ctx, "x", "1", 0)
		return nil
	})
	if n := value(t, registry, "redis_errors_total", "trouble="+string(store.TroubleFull)); n != 2 {
		t.Errorf("%v writes were refused for want of memory, want 2", n)
	}
	server.Kill(t)
	_ = ledger.Checks.Writable(ctx)
	if n := value(t, registry, "redis_errors_total", "trouble="+string(store.TroubleUnreachable)); n != 1 {
		t.Errorf("%v times it could not be reached, want 1", n)
	}
}
