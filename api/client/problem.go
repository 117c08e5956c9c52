package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Problem is an error response of the API.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Code is stable, see docs/api.md. It is empty if a proxy responded.
	Code      string         `json:"code"`
	Errors    []FieldProblem `json:"errors"`
	RequestID string         `json:"request_id"`
	// Receipt is the result for the candidates before a batch was interrupted; nil for none.
	Receipt *Receipt `json:"receipt"`
	// RetryAfter is when to retry; 0 if unknown or if a retry does not help.
	RetryAfter time.Duration `json:"-"`
}

// FieldProblem is an invalid field of the request.
type FieldProblem struct {
	Field   string `json:"field"`
	Problem string `json:"problem"`
	Remedy  string `json:"remedy"`
}

func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the API refused (%d", p.Status)
	if p.Code != "" {
		b.WriteString(" " + p.Code)
	}
	b.WriteString(")")
	for _, text := range []string{p.Title, p.Detail} {
		if text != "" {
			b.WriteString(": " + strings.TrimSuffix(text, "."))
		}
	}
	for _, f := range p.Errors {
		fmt.Fprintf(&b, "; %s %s (%s)", f.Field, f.Problem, f.Remedy)
	}
	return b.String()
}

// Is matches the errors of this package.
func (p *Problem) Is(target error) bool {
	switch target {
	case ErrBatchConflict:
		return p.Code == "idempotency_conflict"
	case ErrNoBatch:
		return p.Code == "batch_unknown"
	case ErrNoConnection:
		return p.Code == "no_connection"
	case ErrTooManyWaiting:
		return p.Code == "too_many_waiting"
	case ErrStoreFull:
		return p.Code == "store_full"
	}
	return false
}

// Temporary reports whether the same request may succeed later.
func (p *Problem) Temporary() bool {
	return p.RetryAfter > 0 || p.Status == http.StatusTooManyRequests || p.Status >= http.StatusInternalServerError
}

func problemIn(response *http.Response) *Problem {
	p := &Problem{}
	const most = 8 << 20 // a receipt with a thousand refused rows is smaller
	if err := json.NewDecoder(io.LimitReader(response.Body, most)).Decode(p); err != nil || p.Code == "" {
		p = &Problem{Title: "something that is not the API has answered, " + response.Status}
	}
	p.Status = response.StatusCode
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}
