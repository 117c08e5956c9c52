package icims

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Auth puts credentials on a request.
type Auth interface {
	// Authorize sets headers of req, a copy that it may change. body is what the request will send
	// and must not be changed. An *[AuthError] sets the class of a failure; any other error counts
	// as temporary.
	Authorize(req *http.Request, body []byte) error
}

// renewer is an Auth that can react to a 401, once per call.
type renewer interface {
	// renew reports whether to retry with new credentials. authorization is the header that was
	// refused.
	renew(authorization string) bool
}

// binder is an Auth that needs to know its client.
type binder interface {
	bind(root *url.URL, wire http.RoundTripper, timeout time.Duration) error
}

// AuthError means that no credentials could be set. Nothing was sent to the API.
type AuthError struct {
	Class      Class
	Reason     Reason
	Status     int
	RetryAfter time.Duration
	Err        error
}

func (e *AuthError) Error() string { return "no credentials for the call: " + string(e.Reason) }

// Unwrap returns the cause.
func (e *AuthError) Unwrap() error { return e.Err }

// Basic authenticates with user and password (API sheet §2.1).
func Basic(user, pass string) Auth {
	// A closure, so that printing the struct never prints the password.
	return basic{func() string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+pass))
	}}
}

type basic struct{ header func() string }

func (b basic) Authorize(req *http.Request, _ []byte) error {
	req.Header.Set("Authorization", b.header())
	return nil
}

// authLayer signs a copy of each request.
type authLayer struct {
	auth Auth
	next http.RoundTripper
}

func (l *authLayer) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil && req.GetBody != nil {
		r, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		body, err = io.ReadAll(r)
		if err != nil {
			return nil, err
		}
	}
	signed := req.Clone(req.Context())
	if err := l.auth.Authorize(signed, body); err != nil {
		if ctxErr := context.Cause(req.Context()); ctxErr != nil {
			return nil, ctxErr
		}
		if _, ok := errors.AsType[*AuthError](err); ok {
			return nil, err
		}
		return nil, &AuthError{Class: ClassRetry, Reason: ReasonAuthUnavailable, Err: err}
	}
	if t := attemptOf(req.Context()); t != nil {
		t.authorization = signed.Header.Get("Authorization")
	}
	return l.next.RoundTrip(signed)
}
