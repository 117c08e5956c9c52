package worker

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// wide are limits that do not bind.
var wide = store.Limits{CallsPerSecond: 1e6, Burst: 1000, InFlight: 100, CallsPerDay: 1e6}

func TestGate(t *testing.T) {
	t.Run("calls are spread over time by rate and burst", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			limits := wide
			limits.CallsPerSecond, limits.Burst = 5, 10
			g := newGate(newAccount(time.Now), limits)
			start := time.Now()
			for range 60 {
				if err := g.enter(t.Context()); err != nil {
					t.Fatal(err)
				}
				g.leave()
			}
			// 10 at once, then 5 a second.
			if took := time.Since(start); took.Round(time.Millisecond) != 10*time.Second {
				t.Errorf("60 calls took %s, want 10s", took)
			}
		})
	})

	t.Run("no more than the allowed calls are in flight", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			limits := wide
			limits.InFlight = 4
			g := newGate(newAccount(time.Now), limits)
			var group errgroup.Group
			start := time.Now()
			for range 12 {
				group.Go(func() error {
					if err := g.enter(t.Context()); err != nil {
						return err
					}
					time.Sleep(time.Second)
					g.leave()
					return nil
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start).Round(time.Second); took != 3*time.Second {
				t.Errorf("12 calls of a second, 4 at a time, took %s", took)
			}
		})
	})

	t.Run("the day's calls are not exceeded and come back at midnight UTC", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			limits := wide
			limits.CallsPerDay = 3
			g := newGate(newAccount(time.Now), limits)
			for range 3 {
				if err := g.enter(t.Context()); err != nil {
					t.Fatal(err)
				}
				g.leave()
			}
			refused := wantRefusal(t, g.enter(t.Context()), icims.ReasonQuotaExhausted)
			if u := refused.Until.UTC(); u.Hour()+u.Minute()+u.Second() != 0 || !u.After(time.Now()) {
				t.Errorf("until %s", u)
			}
			time.Sleep(time.Until(refused.Until))
			if err := g.enter(t.Context()); err != nil {
				t.Errorf("after midnight: %v", err)
			}
		})
	})

	t.Run("a stopped worker hands back who waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			limits := wide
			limits.CallsPerSecond, limits.Burst = 0.001, 1
			g := newGate(newAccount(time.Now), limits)
			if err := g.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
			g.leave()
			answer := make(chan error)
			go func() { answer <- g.enter(t.Context()) }()
			synctest.Wait()
			g.drain()
			wantRefusal(t, <-answer, icims.Reason(store.ReasonShuttingDown))
		})
	})

	t.Run("a caller who gives up is told so", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			limits := wide
			limits.InFlight = 1
			g := newGate(newAccount(time.Now), limits)
			if err := g.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := g.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
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
		{"no calls left closes it until the reset", 200, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"9299"}}, icims.ReasonQuotaExhausted, 9299 * time.Second},
		{"no calls left without a reset closes it until midnight", 200, http.Header{"X-Ratelimit-Remaining": {"0"}}, icims.ReasonQuotaExhausted, 24 * time.Hour},
		{"429 closes it for a minute", 429, nil, icims.ReasonRateLimited, time.Minute},
		{"429 closes it for as long as it says", 429, http.Header{"Retry-After": {"7"}}, icims.ReasonRateLimited, 7 * time.Second},
		{"401 closes it for a minute", 401, nil, icims.ReasonCredentials, time.Minute},
		{"403 closes it for a minute", 403, nil, icims.ReasonAccessDenied, time.Minute},
		{"other answers leave it open", 500, http.Header{"X-Ratelimit-Remaining": {"9"}}, "", 0},
	}
	for _, a := range answers {
		t.Run(a.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // its clock begins at midnight UTC
				g := newGate(newAccount(time.Now), wide)
				g.account.observe(a.status, a.header)
				err := g.enter(t.Context())
				if a.reason == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				refused := wantRefusal(t, err, a.reason)
				if after := time.Until(refused.Until); after != a.after {
					t.Errorf("closed for %s, want %s", after, a.after)
				}
				time.Sleep(a.after)
				if err := g.enter(t.Context()); err != nil {
					t.Errorf("after that: %v", err)
				}
			})
		})
	}
}

func TestARefusedAccountIsAskedLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(time.Now)
		for _, minutes := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
			want := time.Duration(minutes) * time.Minute
			for range 5 { // calls in flight together
				a.observe(401, nil)
			}
			refused := a.refusal(1000)
			if refused == nil || time.Until(refused.Until) != want {
				t.Fatalf("refusal %+v, want one for %s", refused, want)
			}
			time.Sleep(want)
		}
		a.observe(200, nil)
		a.observe(401, nil)
		if refused := a.refusal(1000); time.Until(refused.Until) != time.Minute {
			t.Errorf("after a success closed for %s", time.Until(refused.Until))
		}
		a.mended()
		if refused := a.refusal(1000); refused != nil {
			t.Errorf("with a mended connection: %v", refused)
		}
	})
}

func TestASpentBudgetStaysSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(time.Now)
		a.observe(200, http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"9299"}})
		a.observe(429, nil) // was in flight
		a.observe(401, nil)
		a.mended()
		if refused := a.refusal(1000); refused == nil || refused.Reason != icims.ReasonQuotaExhausted || time.Until(refused.Until) != 9299*time.Second {
			t.Errorf("refusal %+v", refused)
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

func TestBreaker(t *testing.T) {
	call := func(t *testing.T, b *breaker, status int, err error) error {
		t.Helper()
		next := roundTripper(func(*http.Request) (*http.Response, error) {
			if err != nil {
				return nil, err
			}
			return &http.Response{StatusCode: status, Body: http.NoBody}, nil
		})
		answer, err := b.middleware(next).RoundTrip((&http.Request{}).WithContext(t.Context()))
		if answer != nil {
			_ = answer.Body.Close()
		}
		return err
	}
	cases := []struct {
		name   string
		status []int
		err    error
		opens  bool
	}{
		{name: "server errors open it", status: []int{500, 502, 503, 504, 408}, opens: true},
		{name: "lost connections open it", err: errors.New("connection reset"), opens: true},
		{name: "refused data does not", status: []int{400, 404, 401, 403, 429}},
		{name: "calls without a permit do not", err: &icims.RefusedError{Reason: icims.ReasonQuotaExhausted}},
		{name: "half of the calls failing does not", status: []int{200, 503}},
		{name: "refused data does not hide that the rest fails", status: []int{503, 422}, opens: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker("1234", zerolog.Nop())
				for i := range 40 {
					status := 0
					if len(c.status) > 0 {
						status = c.status[i%len(c.status)]
					}
					_ = call(t, b, status, c.err)
				}
				if open := b.refusal() != nil; open != c.opens {
					t.Fatalf("open: %v, want %v", open, c.opens)
				}
				if !c.opens {
					return
				}
				wantRefusal(t, call(t, b, 200, nil), icims.Reason(store.ReasonBreakerOpen))
				time.Sleep(breakerOpenFor + time.Second)
				if err := call(t, b, 200, nil); err != nil {
					t.Fatalf("the probe: %v", err)
				}
				if err := call(t, b, 200, nil); err != nil {
					t.Errorf("after a good probe: %v", err)
				}
			})
		})
	}
}
