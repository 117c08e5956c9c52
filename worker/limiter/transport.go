package limiter

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store/quota"
)

// Classes of calls.
const (
	bulk    = 0
	express = 1
)

func class(isExpress bool) int {
	if isExpress {
		return express
	}
	return bulk
}

type expressKey struct{}

// AsExpress returns a context whose calls are express.
func AsExpress(ctx context.Context) context.Context {
	return context.WithValue(ctx, expressKey{}, true)
}

// AsBulk returns a context whose calls are bulk.
func AsBulk(ctx context.Context) context.Context {
	return context.WithValue(ctx, expressKey{}, false)
}

// IsExpress reports whether the calls of a context are express.
func IsExpress(ctx context.Context) bool {
	is, _ := ctx.Value(expressKey{}).(bool)
	return is
}

// Middleware makes each request wait for a permit, and returns the permit afterwards.
func (l *Limiter) Middleware(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		deadline := time.Now().Add(l.config.Patience)
		p, err := l.acquireBy(req.Context(), deadline)
		if err != nil {
			return nil, err
		}
		for {
			answer, err := l.call(req, p, next)
			if err != nil || answer.StatusCode != http.StatusTooManyRequests || !time.Now().Before(deadline) {
				return answer, err
			}
			// iCIMS did nothing, so the call may be repeated, even a create.
			var again bool
			if p, again = l.again(req, deadline); !again {
				return answer, nil
			}
		}
	})
}

// again prepares the repetition of a request. It returns false if calls stay closed for too long.
func (l *Limiter) again(req *http.Request, deadline time.Time) (permit, bool) {
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return permit{}, false
		}
		req.Body = body
	}
	p, err := l.acquireBy(req.Context(), deadline)
	return p, err == nil
}

// acquireBy acquires a permit. After a 429 it waits for the end of the pause, if that is before a
// deadline.
func (l *Limiter) acquireBy(ctx context.Context, deadline time.Time) (permit, error) {
	for {
		p, err := l.acquire(ctx)
		refused, ok := errors.AsType[*icims.RefusedError](err)
		wait := time.Until(deadline)
		if !ok || refused.Reason != icims.ReasonRateLimited || wait <= 0 || !l.Reopens(ctx, wait) {
			return p, err
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// call makes a call and always returns its permit.
func (l *Limiter) call(req *http.Request, p permit, next http.RoundTripper) (answer *http.Response, err error) {
	start := time.Now()
	defer func() {
		status := 0
		if answer != nil {
			status = answer.StatusCode
		}
		l.config.Observer.Called(icims.OpOf(req.Context()), status, time.Since(start))
		l.release(outcome(req, p.Permit, answer, err))
	}()
	return next.RoundTrip(req) // it reads the response completely
}

// outcome returns a permit with the result of its call.
func outcome(req *http.Request, p quota.Permit, answer *http.Response, err error) quota.Returned {
	r := quota.Unused(p)
	r.Unused = err != nil && icims.SentOf(req.Context()) == icims.SentNo
	if answer == nil {
		// A token refusal is about the account too, although no call was made.
		if refused, ok := errors.AsType[*icims.AuthError](err); ok && r.Unused {
			switch refused.Class {
			case icims.ClassCredentials:
				r.Status = http.StatusUnauthorized
			case icims.ClassAccess:
				r.Status = http.StatusForbidden
			default:
			}
		}
		return r
	}
	number := func(name string) int {
		n, err := strconv.Atoi(answer.Header.Get(name))
		if err != nil || n < 0 {
			return quota.Absent
		}
		return n
	}
	r.Status = icims.AccountStatus(icims.OpOf(req.Context()), answer)
	r.Limit, r.Remaining, r.Reset = number("X-Ratelimit-Limit"), number("X-Ratelimit-Remaining"), number("X-Ratelimit-Reset")
	r.RetryAfter = number("Retry-After")
	return r
}

// mayClose reports whether the quota may close calls after a response.
func mayClose(r quota.Returned) bool {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, icims.StatusNotAuthorized, icims.StatusSearchRefused:
		return true
	default:
		return !r.Unused && r.Remaining == 0
	}
}
