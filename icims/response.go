package icims

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Response is the metadata of a response.
type Response struct {
	Status int
	// Transaction is iCIMS's ID of the call, for support tickets.
	Transaction string
	Rate        RateLimit
	// Warnings are the problems of a call that succeeded, for example a source that was stored but
	// is on no list (API sheet §3.3).
	Warnings []Problem
	// Header is the response's header, without cookies and problem texts.
	Header http.Header `json:"-"`

	// noList is set if a search reported "nothing found" without a list.
	noList bool
}

// String omits the headers, which may repeat what was sent.
func (r *Response) String() string {
	s := fmt.Sprintf("status %d", r.Status)
	if r.Transaction != "" {
		s += ", transaction " + r.Transaction
	}
	var sSb30 strings.Builder
	for _, w := range r.Warnings {
		sSb30.WriteString(", " + w.String())
	}
	s += sSb30.String()
	return s
}

// GoString keeps %#v as discreet as %v.
func (r *Response) GoString() string { return "&icims.Response{" + r.String() + "}" }

// RateLimit is the daily quota as reported by iCIMS (API sheet §4).
type RateLimit struct {
	Limit     int
	Remaining int
	// Reset is the time until the quota resets, at midnight UTC.
	Reset time.Duration
	// Known is false if the response did not report the quota.
	Known bool

	resetKnown bool
}

func newResponse(r *http.Response, now time.Time) *Response {
	h := r.Header.Clone()
	for _, name := range []string{"Set-Cookie", "X-Error", "X-Warning"} {
		h.Del(name)
	}
	return &Response{
		Status:      r.StatusCode,
		Transaction: transaction(r.Header.Get("X-Transaction")),
		Rate:        parseRate(r.Header, now),
		Header:      h,
	}
}

// transaction returns v if it looks like an ID, since it is printed in errors.
func transaction(v string) string {
	if len(v) > 64 || strings.ContainsFunc(v, func(r rune) bool {
		return !strings.ContainsRune("{}-_0123456789abcdefABCDEF", r)
	}) {
		return ""
	}
	return v
}

func parseRate(h http.Header, now time.Time) RateLimit {
	var rate RateLimit
	remaining, ok := parseCount(h.Get("X-Ratelimit-Remaining"))
	if !ok {
		return rate
	}
	rate.Known, rate.Remaining = true, int(remaining)
	if limit, ok := parseCount(h.Get("X-Ratelimit-Limit")); ok {
		rate.Limit = int(limit)
	}
	rate.Reset, rate.resetKnown = parseReset(h.Get("X-Ratelimit-Reset"), now)
	return rate
}

func parseCount(v string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
	return n, err == nil && n >= 0 && n <= 1<<31
}

const day = 24 * time.Hour

// parseReset parses seconds until midnight UTC. A value far beyond a day is read as an epoch, which
// most other APIs send.
func parseReset(v string, now time.Time) (time.Duration, bool) {
	n, ok := parseCount(v)
	if !ok {
		return 0, false
	}
	if n > 1_000_000_000 {
		n -= now.Unix()
	}
	d := time.Duration(n) * time.Second
	return d, d >= 0 && d <= day
}

// deferFor returns how long to wait after a refusal for lack of calls.
func deferFor(h http.Header, rate RateLimit, now time.Time) time.Duration {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date // midnight by iCIMS's clock, not ours
	}
	if rate.Known && rate.Remaining > 0 {
		// Calls are left for the day, so this is a limit over a shorter period.
		if d, ok := parseRetryAfter(h.Get("Retry-After"), now); ok {
			return d
		}
		return throttlePause
	}
	if rate.resetKnown {
		return max(rate.Reset, time.Second)
	}
	if d, ok := parseReset(h.Get("X-Ratelimit-Reset"), now); ok {
		return max(d, time.Second)
	}
	if d, ok := parseRetryAfter(h.Get("Retry-After"), now); ok {
		return d
	}
	return untilMidnight(now)
}

// throttlePause is the pause after a 429 with neither an exhausted quota nor a time.
const throttlePause = time.Minute

func untilMidnight(now time.Time) time.Duration {
	now = now.UTC()
	return now.Truncate(day).Add(day).Sub(now)
}

func parseRetryAfter(v string, now time.Time) (time.Duration, bool) {
	if n, ok := parseCount(v); ok {
		return min(max(time.Duration(n)*time.Second, time.Second), day), true
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), time.Second), day), true
	}
	return 0, false
}
