package api

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
)

// request is the state of the current request.
type request struct {
	id        string
	op        op
	customer  string
	principal Principal
	note      Note
	// code is the code of the problem in the response.
	code Code
}

type requestKey struct{}

// requestOf returns the request of a context; an empty one if there is none.
func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

func withRequest(ctx context.Context, r *request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// newRequestID returns a random ID. IDs never come from the caller, so they are safe to log.
func newRequestID() string {
	const bytesOf80Bits = 10
	raw := make([]byte, bytesOf80Bits)
	_, _ = rand.Read(raw) // crashes the process without randomness
	return strings.ToLower(base32.StdEncoding.EncodeToString(raw))
}
