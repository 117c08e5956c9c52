package api

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
)

// request is what is known of the request that is being answered.
type request struct {
	id        string
	op        op
	customer  string
	principal Principal
	note      Note
	// code is that of the problem it was answered with.
	code Code
}

type requestKey struct{}

// requestOf is the request whose context it is; an empty one outside of any.
func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

func withRequest(ctx context.Context, r *request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// newRequestID is made here and never taken from the caller, so that it can be logged
// as it is.
func newRequestID() string {
	const bytesOf80Bits = 10
	raw := make([]byte, bytesOf80Bits)
	_, _ = rand.Read(raw) // ends the process where there is no randomness
	return strings.ToLower(base32.StdEncoding.EncodeToString(raw))
}
