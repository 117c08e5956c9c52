package lanes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/seekout/icims-export/bench/figures"
)

// The rate limit recipe of asynq's wiki: a task without a permit returns an error that does not
// count as a failure, and is retried at a random time within ten seconds. All customers share a
// queue.

type rateLimitError struct{ retryIn time.Duration }

func (e *rateLimitError) Error() string { return fmt.Sprintf("rate limited; retry in %v", e.retryIn) }

func isRateLimitError(err error) bool {
	_, limited := errors.AsType[*rateLimitError](err)
	return limited
}

func retryDelay(n int, err error, task *asynq.Task) time.Duration {
	if limited, ok := errors.AsType[*rateLimitError](err); ok {
		return limited.retryIn
	}
	return asynq.DefaultRetryDelayFunc(n, err, task)
}

// recipe is the handler of that recipe.
type recipe struct {
	origin   string
	client   *http.Client
	limiters map[string]*rate.Limiter // by customer
}

type recipeTask struct {
	Customer string `json:"customer"`
	Email    string `json:"email"`
}

// ProcessTask creates a person and a workflow.
func (h *recipe) ProcessTask(ctx context.Context, t *asynq.Task) error {
	var task recipeTask
	if err := json.Unmarshal(t.Payload(), &task); err != nil {
		return err
	}
	const calls, within = 2, 10_000 // ms
	if !h.limiters[task.Customer].AllowN(time.Now(), calls) {
		return &rateLimitError{time.Duration(rand.IntN(within)) * time.Millisecond}
	}
	location, err := h.post(ctx, task.Customer, "people", map[string]any{"firstname": "Ana", "lastname": "Duarte", "email": task.Email})
	if err != nil {
		return err
	}
	person := json.Number(location[strings.LastIndex(location, "/")+1:])
	_, err = h.post(ctx, task.Customer, "applicantworkflows", map[string]any{"baseprofile": job, "associatedprofile": person})
	return err
}

func (h *recipe) post(ctx context.Context, customer, path string, fields map[string]any) (location string, err error) {
	body, err := json.Marshal(fields)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.origin+"/customers/"+customer+"/"+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(username, password)
	req.Header.Set("Content-Type", "application/json")
	res, err := h.client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("%s: status %d", path, res.StatusCode)
	}
	return res.Header.Get("Location"), nil
}

// BenchmarkRecipe is BenchmarkNeighbor with the recipe.
func BenchmarkRecipe(b *testing.B) {
	const limit = 3 * time.Minute
	for b.Loop() {
		all := accounts(2, theRate)
		crowded, other := all[0].customer, all[1].customer
		r := newRig(b, all)
		transport := &http.Transport{MaxIdleConnsPerHost: 64}
		b.Cleanup(transport.CloseIdleConnections)
		h := &recipe{origin: r.sim.origin, client: &http.Client{Transport: transport}, limiters: map[string]*rate.Limiter{}}
		for _, a := range all {
			h.limiters[a.customer] = rate.NewLimiter(rate.Limit(a.limits.CallsPerSecond), a.limits.Burst)
		}
		server := asynq.NewServerFromRedisClient(r.redis, asynq.Config{
			Concurrency: 10 * *processes, RetryDelayFunc: retryDelay, LogLevel: asynq.FatalLevel,
			IsFailure: func(err error) bool { return !isRateLimitError(err) },
		})
		if err := server.Start(h); err != nil {
			b.Fatal(err)
		}
		starts := func() figures.Sample {
			r.sim.ask("POST", "reset?only=calls", nil)
			begin := time.Now()
			r.plain(other, fifty)
			within(limit, func() bool { return len(r.sim.starts(other)) >= fifty })
			return since(begin, r.sim.starts(other), fifty)
		}
		alone := starts()
		r.plain(crowded, *crowd)
		from, before := time.Now(), r.sim.traffic(crowded).Calls
		beside := starts()
		used := float64(r.sim.traffic(crowded).Calls-before) / time.Since(from).Seconds() / theRate.CallsPerSecond
		table.Note("the same by asynq's recipe for rate limits, one shared queue: p95 alone", figures.Exactly(alone.Quantile(0.95)), "%.0f", " ms")
		table.Note("  p95 beside the neighbor (Inf: not within 3 minutes)", figures.Exactly(beside.Quantile(0.95)), "%.0f", " ms")
		table.Note("  p50 beside the neighbor", figures.Exactly(beside.Median()), "%.0f", " ms")
		table.Note("  used share of the neighbor's rate", figures.Exactly(percent*used), "%.0f", " %")
		b.ReportMetric(beside.Quantile(0.95)/alone.Quantile(0.95), "ratio")
		server.Shutdown()
	}
}

// plain enqueues n tasks of a customer concurrently, since asynq takes one per round trip.
func (r *rig) plain(customer string, n int) {
	r.b.Helper()
	const sides = 8
	client := asynq.NewClientFromRedisClient(r.redis)
	series++
	s := series
	var group errgroup.Group
	for side := range sides {
		group.Go(func() error {
			for i := side; i < n; i += sides {
				payload, err := json.Marshal(recipeTask{customer, fmt.Sprintf("ana.%d.%d@example.com", s, i)})
				if err != nil {
					return err
				}
				if _, err := client.Enqueue(asynq.NewTask("recipe:export", payload), asynq.MaxRetry(25)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		r.b.Fatal(err)
	}
}
