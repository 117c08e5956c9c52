package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks/input"
)

const bareType = "bare:export"

// bareHandler is the obvious implementation: the task's payload is the candidate, and the handler
// posts person and workflow. It does not check for earlier exports or lost responses.
type bareHandler struct {
	root   string
	conn   store.Connection
	client *http.Client
	left   atomic.Int64
	done   chan struct{}
}

// ProcessTask exports the task's candidate.
func (h *bareHandler) ProcessTask(ctx context.Context, t *asynq.Task) error {
	var c input.Candidate
	if err := json.Unmarshal(t.Payload(), &c); err != nil {
		return err
	}
	person, workflow, _ := mapping.Preview(c, h.conn, job, "")
	id, err := h.post(ctx, "/people", person)
	if err != nil {
		return err
	}
	workflow["associatedprofile"] = id
	if _, err := h.post(ctx, "/applicantworkflows", workflow); err != nil {
		return err
	}
	if h.left.Add(-1) == 0 {
		close(h.done)
	}
	return nil
}

// post creates a record and returns its ID.
func (h *bareHandler) post(ctx context.Context, path string, fields map[string]any) (int64, error) {
	body, err := json.Marshal(fields)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.root+"/customers/"+customer+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.SetBasicAuth(username, password)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	answer, err := h.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if _, err := io.ReadAll(io.LimitReader(answer.Body, icims.DefaultMaxBody)); err != nil {
		return 0, err
	}
	if answer.StatusCode != http.StatusCreated {
		return 0, fmt.Errorf("%s: status %d", path, answer.StatusCode)
	}
	location := answer.Header.Get("Location")
	return strconv.ParseInt(location[strings.LastIndex(location, "/")+1:], 10, 64)
}

// runBare exports queued candidates with a bare asynq server.
func runBare(b *testing.B, server *redistest.Server, sim *simulator, candidates []input.Candidate, longer time.Duration) run {
	b.Helper()
	watch := emptied(b, server)
	client, count := countedClient(b, server, longer)
	// Enqueued without delay: only processing is measured here.
	producer := asynq.NewClientFromRedisClient(watch)
	for _, c := range candidates {
		if _, err := producer.EnqueueContext(b.Context(), asynq.NewTask(bareType, encode(b, c)), asynq.MaxRetry(0)); err != nil {
			b.Fatal(err)
		}
	}

	transport := &http.Transport{MaxIdleConnsPerHost: concurrency, IdleConnTimeout: 20 * time.Second} // like the worker's client
	defer transport.CloseIdleConnections()
	h := &bareHandler{root: sim.url, conn: connection(sim), client: &http.Client{Transport: transport, Timeout: icims.DefaultCallTimeout}, done: make(chan struct{})}
	h.left.Store(int64(len(candidates)))
	failed := make(chan error, 1)
	queue := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: concurrency, TaskCheckInterval: 200 * time.Millisecond, LogLevel: asynq.FatalLevel,
		ErrorHandler: asynq.ErrorHandlerFunc(func(_ context.Context, _ *asynq.Task, err error) {
			select {
			case failed <- err:
			default:
			}
		}),
	})
	spent := cpuOf(b, watch, sim)
	start := time.Now()
	if err := queue.Start(h); err != nil {
		b.Fatal(err)
	}
	select {
	case <-h.done:
	case err := <-failed:
		b.Error(err)
	}
	seconds := time.Since(start).Seconds()
	spent = cpuOf(b, watch, sim).since(spent)
	calls := sim.holds(b, len(candidates))
	queue.Shutdown()
	return run{seconds: seconds, cpu: spent, calls: calls, queue: count.Load() + int64(len(candidates))} // plus one per candidate to enqueue
}
