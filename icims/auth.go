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
	// Authorize sets headers of req, which is its own copy. body is what the
	// request will send; it must not be changed. An *[AuthError] says how to
	// class a failure; any other error is taken for a passing one.
	Authorize(req *http.Request, body []byte) error
}

// renewer is an Auth that can do something about a 401, once per call.
type renewer interface {
	// renew reports whether trying again with other credentials makes sense.
	// authorization is the header that was refused.
	renew(authorization string) bool
}

// binder is an Auth that has to know the client it serves.
type binder interface {
	bind(root *url.URL, wire http.RoundTripper, timeout time.Duration) error
}

// AuthError is a failure to get credentials onto a request. Nothing was sent
// to the API.
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
	// A closure, so that nothing that prints a struct prints the password.
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
