package main

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// metricsAddress reads stderr until the metrics address is logged.
func (s *started) metricsAddress(t *testing.T) string {
	t.Helper()
	address := regexp.MustCompile(`"address":"([^"]+)"`)
	for s.lines.Scan() {
		if line := s.lines.Text(); strings.Contains(line, "metrics server started") {
			return "http://" + address.FindStringSubmatch(line)[1]
		}
	}
	t.Fatal("it ended without serving metrics")
	return ""
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestMetricsAreServedIfConfigured(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	b := newBench(t)
	redis := miniredis.RunT(t)
	for command, shows := range map[string][]string{
		"worker": {"icims_export_exports_total{", "icims_export_lanes{", "icims_export_ready{check=\"lanes\"}", "icims_export_redis_round_trips_total{"},
		"serve":  {"icims_export_api_requests_total{operation=\"whoami\"", "icims_export_ready{check=\"ledger\"} 1", "icims_export_redis_round_trips_total{"},
	} {
		t.Run(command, func(t *testing.T) {
			s := startCommand(t, b.shared(redis, command, "--metrics-listen=127.0.0.1:0", "--api-listen=127.0.0.1:0", "--log-format=json")...)
			url := s.metricsAddress(t)
			go func() {
				for s.lines.Scan() { // keeps the process from blocking on stderr
				}
			}()
			for deadline := time.Now().Add(time.Minute); ; {
				status, body := get(t, url+"/readyz")
				if status == http.StatusOK {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("it is not ready: %s", body)
				}
			}
			if status, body := get(t, url+"/healthz"); status != http.StatusOK {
				t.Errorf("got %d %s", status, body)
			}
			status, body := get(t, url+"/metrics")
			for _, part := range shows {
				if status != http.StatusOK || !strings.Contains(body, part) {
					t.Errorf("got %d without %s", status, part)
				}
			}
			s.signal(t, syscall.SIGTERM)
			if err := s.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("an unusable address is reported with the remedy", func(t *testing.T) {
		r := call(t, b.shared(redis, "worker", "--metrics-listen=192.0.2.1:1")...)
		r.wantStatus(t, statusUsage)
		if !strings.Contains(r.errors, "--metrics-listen") {
			t.Error(r.errors)
		}
	})
}
