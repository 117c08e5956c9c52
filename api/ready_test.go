package api

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seekout/icims-export/store/redistest"
)

func TestReadyzReportsRedisProblems(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	r := newRigOn(t, client)
	r.call("", http.MethodGet, "/readyz", nil).is(http.StatusOK, nil)
	if err := client.ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	r.call("", http.MethodGet, "/healthz", nil).is(http.StatusOK, nil)
	r.call("", http.MethodGet, "/readyz", nil).is(http.StatusOK, nil) // the last check is less than a second old
	r.now.Pass(time.Second)
	if p := r.call("", http.MethodGet, "/readyz", nil).problem(CodeUnavailable); !strings.Contains(p.Detail, "its memory is full") {
		t.Errorf("it says %q", p.Detail)
	}
	server.Kill(t)
	r.now.Pass(time.Second)
	if p := r.call("", http.MethodGet, "/readyz", nil).problem(CodeUnavailable); !strings.Contains(p.Detail, "cannot be reached") || strings.Contains(p.Detail, server.Addr()) {
		t.Errorf("it says %q", p.Detail)
	}
}

func TestRequestsAreCountedByOperation(t *testing.T) {
	t.Parallel()
	var (
		mu   sync.Mutex
		told []string
	)
	r := newRig(t, func(d *Deps) {
		d.Answered = func(operation string, status int, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, operation+" "+http.StatusText(status))
			if took < 0 {
				t.Error("it took less than no time")
			}
		}
	})
	for _, path := range []string{"/healthz", "/v1/whoami", "/v1/people/ana.duarte@example.com", "/openapi.json"} {
		r.call("", http.MethodGet, path, nil)
	}
	mu.Lock()
	defer mu.Unlock()
	want := []string{"healthz OK", "whoami Unauthorized", " Not Found", "openapi OK"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	for _, operation := range []string{"healthz", "readyz", "whoami", "openapi"} {
		if !slices.Contains(r.Operations(), operation) {
			t.Errorf("%s is not among the operations", operation)
		}
	}
}
