package limiter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store/quota"
	"github.com/seekout/icims-export/store/redistest"
)

// wide are limits that never bind.
var wide = quota.Limits{CallsPerSecond: 1e6, Burst: 1000, InFlight: 100, CallsPerDay: 1e6}

// limiters runs a test in simulated time, with limiters whose permits come from a real Redis with
// the same time.
func limiters(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	server := redistest.Shared(t) // outside the bubble, since it outlives the test
	synctest.Test(t, func(t *testing.T) {
		client := server.Client(t)
		if err := client.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, client: client}
		client.AddHook(r)
		r.quota = quota.NewSimulated(client)
		test(t, r)
		for _, l := range r.limiters {
			l.Close(context.Background())
		}
	})
}

type rig struct {
	t        *testing.T
	client   redis.UniversalClient
	quota    *quota.Store
	limiters []*Limiter
	fail     atomic.Int64 // the number of commands from now on
	lose     atomic.Int64 // the number of responses
	asks     atomic.Int64
}

func (r *rig) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *rig) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook sets Redis's clock before each script, and fails some.
func (r *rig) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if name := cmd.Name(); name != "evalsha" && name != "eval" {
			return next(ctx, cmd)
		}
		r.asks.Add(1)
		if r.fail.Add(-1) >= 0 {
			cmd.SetErr(io.ErrUnexpectedEOF)
			return io.ErrUnexpectedEOF
		}
		if err := next(ctx, redis.NewStatusCmd(ctx, "set", quota.SimulatedClockKey, time.Now().UnixMilli())); err != nil {
			return err
		}
		err := next(ctx, cmd)
		if r.lose.Add(-1) >= 0 {
			cmd.SetErr(io.ErrUnexpectedEOF)
			return io.ErrUnexpectedEOF
		}
		return err
	}
}

// limiter returns the limiter of another process.
func (r *rig) limiter(limits quota.Limits) *Limiter {
	return r.limiterOf(NewSlots(256), "customer-1", "one", limits)
}

func (r *rig) limiterOf(slots *Slots, customer, credentials string, limits quota.Limits) *Limiter {
	l := New(context.Background(), Config{
		Quota: r.quota, Customer: customer, Worker: fmt.Sprint("worker-", len(r.limiters)), Credentials: credentials,
		Limits: limits, CallTimeout: 30 * time.Second, Slots: slots,
	})
	r.limiters = append(r.limiters, l)
	return l
}

// call takes a permit and returns it immediately with a response.
func (r *rig) call(l *Limiter, status int, header http.Header) error {
	next := roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: header, Body: http.NoBody}, nil
	})
	answer, err := l.Middleware(next).RoundTrip((&http.Request{}).WithContext(r.t.Context()))
	if answer != nil {
		_ = answer.Body.Close()
	}
	return err
}

// known waits until Redis has all finished permits.
func (r *rig) known() { time.Sleep(time.Second) }

func TestLimiter(t *testing.T) {
	t.Run("rate and burst spread the calls", func(t *testing.T) {
		limiters(t, func(t *testing.T, r *rig) {
			limits := wide
			limits.CallsPerSecond, limits.Burst = 5, 10
			l := r.limiter(limits)
			start := time.Now()
			for range 63 {
				if err := r.call(l, 200, nil); err != nil {
					t.Fatal(err)
				}
			}
			// Half of the burst is for jitter, and bulk leaves part of the rest to express: 3
			// immediately, then 5 a second.
			if took := time.Since(start).Round(100 * time.Millisecond); took != 12*time.Second {
				t.Errorf("63 calls took %s, want 12s", took)
			}
		})
	})

	t.Run("calls in flight are limited over all processes", func(t *testing.T) {
		limiters(t, func(t *testing.T, r *rig) {
			limits := wide
			limits.InFlight = 4
			var flying, most atomic.Int64
			next := roundTripper(func(*http.Request) (*http.Response, error) {
				n := flying.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Second)
				flying.Add(-1)
				return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
			})
			var group errgroup.Group
			start := time.Now()
			for range 3 {
				l := r.limiter(limits)
				for range 8 {
					group.Go(func() error {
						answer, err := l.Middleware(next).RoundTrip((&http.Request{}).WithContext(t.Context()))
						if err == nil {
							err = answer.Body.Close()
						}
						return err
					})
				}
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); most.Load() != 4 || took > 7500*time.Millisecond {
				t.Errorf("24 calls of 1s, 4 at a time, took %s; %d at a time", took, most.Load())
			}
		})
	})

	t.Run("the daily limit holds and resets at midnight UTC", func(t *testing.T) {
		limiters(t, func(t *testing.T, r *rig) {
			limits := wide
			limits.CallsPerDay = 3
			l := r.limiter(limits)
			for range 3 {
				if err := r.call(l, 200, nil); err != nil {
					t.Fatal(err)
				}
			}
			refused := wantRefusal(t, r.call(l, 200, nil), icims.ReasonQuotaExhausted)
			if u := refused.Until.UTC().Round(time.Second); u.Hour()+u.Minute() != 0 || u.Second() != 1 || !u.After(time.Now()) {
				t.Errorf("until %s", u)
			}
			time.Sleep(time.Until(refused.Until))
			if err := r.call(l, 200, nil); err != nil {
				t.Errorf("after midnight: %v", err)
			}
		})
	})

	t.Run("a stopped worker refuses waiting calls", func(t *testing.T) {
		limiters(t, func(t *testing.T, r *rig) {
			limits := wide
			limits.CallsPerSecond, limits.Burst = 0.001, 1
			l := r.limiter(limits)
			if err := r.call(l, 200, nil); err != nil {
				t.Fatal(err)
			}
			answer := make(chan error)
			go func() { answer <- r.call(l, 200, nil) }()
			synctest.Wait()
			l.Drain()
			wantRefusal(t, <-answer, ReasonShuttingDown)
		})
	})

	t.Run("a canceled caller's permit is used by another", func(t *testing.T) {
		limiters(t, func(t *testing.T, r *rig) {
			limits := wide
			limits.InFlight = 1
			l := r.limiter(limits)
			p, err := l.acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := l.acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			l.release(quota.Unused(p.Permit))
			if err := r.call(l, 200, nil); err != nil {
				t.Error(err)
			}
		})
	})

	t.Run("a late permit is returned and another one taken", func(t *testing.T) {
		limiters(t, func(t *testing.T, r *rig) {
			limits := wide
			limits.CallsPerSecond, limits.Burst = 5, 10
			l := r.limiter(limits)
			late := permit{latest: time.Now().Add(-time.Nanosecond)}
			if l.usable(late) {
				t.Error("a late permit is used")
			}
			late.latest = time.Now()
			if !l.usable(late) {
				t.Error("a permit in time is not used")
			}
		})
	})

	t.Run("changed limits apply immediately, also to waiting calls", func(t *testing.T) {
		limiters(t, func(t *testing.T, r *rig) {
			limits := wide
			limits.CallsPerSecond, limits.Burst = 0.001, 1
			l := r.limiter(limits)
			if err := r.call(l, 200, nil); err != nil {
				t.Fatal(err)
			}
			answer := make(chan error)
			go func() { answer <- r.call(l, 200, nil) }()
			synctest.Wait()
			start := time.Now()
			l.SetLimits(wide)
			if err := <-answer; err != nil || time.Since(start) > time.Second {
				t.Errorf("%v after %s", err, time.Since(start))
			}
		})
	})

	t.Run("slots limit a process over all customers, in turn", func(t *testing.T) {
		limiters(t, func(t *testing.T, r *rig) {
			shared := NewSlots(2)
			var flying atomic.Int64
			next := roundTripper(func(*http.Request) (*http.Response, error) {
				if flying.Add(1) > 2 {
					t.Error("more than two calls in flight")
				}
				time.Sleep(time.Second)
				flying.Add(-1)
				return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
			})
			var group errgroup.Group
			start := time.Now()
			for c := range 5 {
				l := r.limiterOf(shared, fmt.Sprint(c), "one", wide)
				for range 4 {
					group.Go(func() error {
						answer, err := l.Middleware(next).RoundTrip((&http.Request{}).WithContext(t.Context()))
						if err == nil {
							err = answer.Body.Close()
						}
						return err
					})
				}
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start).Round(time.Second); took != 10*time.Second {
				t.Errorf("20 calls of 1s, 2 at a time, took %s", took)
			}
			if shared.free != 2 {
				t.Errorf("%d of 2 slots free at the end", shared.free)
			}
		})
	})

	answers := []struct {
		name   string
		status int
		header http.Header
		reason icims.Reason
		after  time.Duration
	}{
		{"no calls left closes it until after the reset", 200, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"9299"}}, icims.ReasonQuotaExhausted, 9300 * time.Second},
		{"no calls left without a reset closes it until after midnight", 200, http.Header{"X-Ratelimit-Remaining": {"0"}}, icims.ReasonQuotaExhausted, 24*time.Hour + time.Second},
		{"429 closes it for a minute", 429, nil, icims.ReasonRateLimited, time.Minute},
		{"429 with calls left closes it for a moment", 429, http.Header{"X-Ratelimit-Limit": {"10000"}, "X-Ratelimit-Remaining": {"9990"}}, icims.ReasonRateLimited, 2 * time.Second},
		{"429 closes it for as long as it says", 429, http.Header{"Retry-After": {"7"}}, icims.ReasonRateLimited, 7 * time.Second},
		{"401 closes it for a minute", 401, http.Header{"X-Transaction": {"T"}}, icims.ReasonCredentials, time.Minute},
		{"403 closes it for a minute", 403, http.Header{"X-Transaction": {"T"}}, icims.ReasonAccessDenied, time.Minute},
		{"other answers leave it open", 500, http.Header{"X-Ratelimit-Remaining": {"9"}}, "", 0},
	}
	for _, a := range answers {
		t.Run(a.name, func(t *testing.T) {
			limiters(t, func(t *testing.T, r *rig) { // its clock starts at midnight UTC
				l := r.limiter(wide)
				start := time.Now()
				if err := r.call(l, a.status, a.header); err != nil {
					t.Fatal(err)
				}
				err := r.call(l, 200, nil)
				if a.reason == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				refused := wantRefusal(t, err, a.reason)
				if after := refused.Until.Sub(start).Round(time.Second); after != a.after {
					t.Errorf("closed for %s, want %s", after, a.after)
				}
				// Another process gets the same.
				wantRefusal(t, r.call(r.limiter(wide), 200, nil), a.reason)
				time.Sleep(time.Until(refused.Until))
				if err := r.call(l, 200, nil); err != nil {
					t.Errorf("after that: %v", err)
				}
			})
		})
	}
}

// A patient limiter repeats a call that was answered with 429, with its body, once the pause is over.
func TestPatientCallIsRepeatedAfter429(t *testing.T) {
	for _, tc := range []struct {
		name     string
		patience time.Duration
		header   http.Header
		refusals int
		status   int
		calls    int
		took     time.Duration
	}{
		{"after the pause", 3 * time.Minute, http.Header{"Retry-After": {"7"}}, 1, 200, 2, 7 * time.Second},
		{"after several pauses", 3 * time.Minute, http.Header{"Retry-After": {"7"}}, 3, 200, 4, 21 * time.Second},
		{"not if the pause is too long", 3 * time.Minute, http.Header{"Retry-After": {"600"}}, 1, 429, 1, 0},
		{"not if the day's calls are used up", 3 * time.Minute, http.Header{"X-Ratelimit-Limit": {"100"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"60"}}, 1, 429, 1, 0},
		{"not by an export", 0, http.Header{"Retry-After": {"7"}}, 1, 429, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			limiters(t, func(t *testing.T, r *rig) {
				l := r.limiter(wide)
				l.config.Patience = tc.patience
				var bodies []string
				next := roundTripper(func(req *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(req.Body)
					if err != nil {
						return nil, err
					}
					bodies = append(bodies, string(body))
					if len(bodies) <= tc.refusals {
						return &http.Response{StatusCode: 429, Header: tc.header, Body: http.NoBody}, nil
					}
					return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
				})
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sim/people", strings.NewReader("entry"))
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				answer, err := l.Middleware(next).RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = answer.Body.Close()
				if answer.StatusCode != tc.status || len(bodies) != tc.calls || strings.Join(bodies, " ") != strings.TrimSpace(strings.Repeat("entry ", tc.calls)) {
					t.Errorf("status %d after the bodies %q", answer.StatusCode, bodies)
				}
				if took := time.Since(start).Round(time.Second); took != tc.took {
					t.Errorf("took %s, want %s", took, tc.took)
				}
			})
		})
	}
}

func TestRefusedAccountIsProbedLessOften(t *testing.T) {
	limiters(t, func(t *testing.T, r *rig) {
		l := r.limiter(wide)
		for _, minutes := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
			want := time.Duration(minutes) * time.Minute
			var together [5]permit // calls in flight at the same time
			for i := range together {
				var err error
				if together[i], err = l.acquire(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range together {
				back := quota.Unused(p.Permit)
				back.Unused, back.Status = false, 401
				l.release(back)
				r.known()
			}
			refused := wantRefusal(t, r.call(l, 200, nil), icims.ReasonCredentials)
			if left := time.Until(refused.Until) + 5*time.Second; left.Round(2*time.Second) != want {
				t.Fatalf("refused for %s, want %s", left, want)
			}
			time.Sleep(time.Until(refused.Until))
		}
		if err := r.call(l, 200, nil); err != nil {
			t.Fatal(err)
		}
		if err := r.call(l, 401, http.Header{"X-Transaction": {"T"}}); err != nil {
			t.Fatal(err)
		}
		if refused := wantRefusal(t, r.call(l, 200, nil), icims.ReasonCredentials); time.Until(refused.Until).Round(time.Second) != time.Minute {
			t.Errorf("after a success closed for %s", time.Until(refused.Until))
		}
		other := r.limiterOf(NewSlots(1), "customer-1", "two", wide)
		if err := r.call(other, 200, nil); err != nil {
			t.Errorf("with other credentials: %v", err)
		}
		r.known()
		if refused := wantRefusal(t, r.call(l, 200, nil), icims.ReasonCredentials); refused == nil {
			t.Error("calls with the old credentials are made")
		}
		if err := r.call(other, 200, nil); err != nil {
			t.Errorf("old credentials closed calls with new ones: %v", err)
		}
	})
}

func TestMissingRightIsNoRefusedAccount(t *testing.T) {
	limiters(t, func(t *testing.T, r *rig) {
		l := r.limiter(wide)
		if err := r.call(l, 200, nil); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := r.call(l, 403, nil); err != nil {
				t.Fatal(err)
			}
		}
		other := r.limiter(wide)
		if err := r.call(other, 500, nil); err != nil {
			t.Fatal(err)
		}
		if !l.SucceededRecently() || !other.SucceededRecently() {
			t.Error("no recent success")
		}
		time.Sleep(recentSuccess + time.Second)
		if l.SucceededRecently() {
			t.Error("an old success counts")
		}
	})
}

func TestSpentBudgetStaysSpent(t *testing.T) {
	limiters(t, func(t *testing.T, r *rig) {
		l := r.limiter(wide)
		first, err := l.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, err := l.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := r.call(l, 200, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"9299"}}); err != nil {
			t.Fatal(err)
		}
		for status, p := range map[int]permit{429: first, 401: second} { // were in flight
			back := quota.Unused(p.Permit)
			back.Unused, back.Status = false, status
			l.release(back)
		}
		r.known()
		refused := wantRefusal(t, r.call(l, 200, nil), icims.ReasonQuotaExhausted)
		if refused.Until.Sub(start).Round(time.Second) != 9300*time.Second {
			t.Errorf("refusal %+v", refused)
		}
	})
}

func TestLimiterOpensEarlier(t *testing.T) {
	limiters(t, func(t *testing.T, r *rig) {
		l := r.limiter(wide)
		status := func() quota.Status {
			s, err := r.quota.Statuses(t.Context(), quota.Caller{Customer: "customer-1"})
			if err != nil {
				t.Fatal(err)
			}
			return s[0]
		}
		if err := r.call(l, 200, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"9299"}}); err != nil {
			t.Fatal(err)
		}
		r.known()
		if l.OpenEarlier(status().Closed, status().ClosedExpress) {
			t.Error("the same closure opens the limiter")
		}
		wantRefusal(t, r.call(l, 200, nil), icims.ReasonQuotaExhausted)
		// As if another process had learned that a new window has begun.
		if err := r.client.HDel(t.Context(), "ix:{customer-1}:limits", "exhausted_until").Err(); err != nil {
			t.Fatal(err)
		}
		if !l.OpenEarlier(status().Closed, status().ClosedExpress) {
			t.Error("the limiter stays closed")
		}
		if err := r.call(l, 200, nil); err != nil {
			t.Error(err)
		}
		if l.OpenEarlier(status().Closed, status().ClosedExpress) {
			t.Error("an open limiter reports a change")
		}
	})
}

func TestDroppedReturnBlocksNoCalls(t *testing.T) {
	limiters(t, func(t *testing.T, r *rig) {
		l := r.limiter(wide)
		p, err := l.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// Redis fails for so long that more is returned than kept.
		l.mu.Lock()
		l.returned = make([]quota.Returned, keptReturns)
		for i := range l.returned {
			l.returned[i] = quota.Unused(quota.UnknownPermit("worker-0", int64(i)))
		}
		verdict := quota.Unused(p.Permit)
		verdict.Unused, verdict.Status = false, 429
		l.returned, l.unreported = append(l.returned, verdict), 1
		l.failed(quota.Request{}, io.ErrUnexpectedEOF)
		l.mu.Unlock()
		if err := r.call(l, 200, nil); err != nil {
			t.Error(err)
		}
	})
}

func TestNoCallsWithoutRedis(t *testing.T) {
	t.Run("a short fault is waited out", func(t *testing.T) {
		limiters(t, func(t *testing.T, r *rig) {
			l := r.limiter(wide)
			r.fail.Store(3)
			if err := r.call(l, 200, nil); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("a long fault refuses calls for a short time", func(t *testing.T) {
		limiters(t, func(t *testing.T, r *rig) {
			l := r.limiter(wide)
			r.fail.Store(1 << 30)
			refused := wantRefusal(t, r.call(l, 200, nil), ReasonNoPermit)
			if refused.After != refusedFor {
				t.Errorf("%+v", refused)
			}
			r.fail.Store(0)
			if err := r.call(l, 200, nil); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	})
	t.Run("permits with a lost response are returned", func(t *testing.T) {
		limiters(t, func(t *testing.T, r *rig) {
			limits := wide
			limits.InFlight = 1
			l := r.limiter(limits)
			r.lose.Store(4)
			start := time.Now()
			if err := r.call(l, 200, nil); err != nil || time.Since(start) > 2*time.Second {
				t.Errorf("%v after %s", err, time.Since(start))
			}
			r.known()
			s, err := r.quota.Statuses(t.Context(), quota.Caller{Customer: "customer-1"})
			if err != nil || s[0].InFlight != 0 || s[0].Own != 1 {
				t.Errorf("%+v, %v", s, err)
			}
		})
	})
}

func TestLimiterSavesRoundTrips(t *testing.T) {
	limiters(t, func(t *testing.T, r *rig) {
		limits := wide
		limits.InFlight = 8
		l := r.limiter(limits)
		next := roundTripper(func(*http.Request) (*http.Response, error) {
			time.Sleep(50 * time.Millisecond)
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})
		var group errgroup.Group
		for range 8 {
			group.Go(func() error {
				for range 50 {
					answer, err := l.Middleware(next).RoundTrip((&http.Request{}).WithContext(t.Context()))
					if err != nil {
						return err
					}
					_ = answer.Body.Close()
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if each := float64(r.asks.Load()) / 400; each > 1 {
			t.Errorf("%.2f round trips a call", each)
		}
	})
}

func wantRefusal(t *testing.T, err error, reason icims.Reason) *icims.RefusedError {
	t.Helper()
	refused, ok := errors.AsType[*icims.RefusedError](err)
	if !ok || refused.Reason != reason {
		t.Fatalf("%v, want a refusal for %s", err, reason)
	}
	return refused
}
