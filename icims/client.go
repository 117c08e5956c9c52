package icims

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Defaults of a client.
const (
	// DefaultCallTimeout is the timeout iCIMS recommends (API sheet §1).
	DefaultCallTimeout = 30 * time.Second
	// DefaultMaxBody limits a response. The largest legitimate ones are a search of 1,000 rows
	// (about 100 KB) and a schema.
	DefaultMaxBody = 8 << 20
	userAgent      = "icims-export"
)

// Middleware wraps the transport of a client. It sees every call, without the credentials; [OpOf]
// of the request's context names the operation. It refuses a call by returning a [RefusedError].
type Middleware func(http.RoundTripper) http.RoundTripper

// Client calls the API of one customer with one account. It is safe for
// concurrent use.
type Client struct {
	root     *url.URL
	customer string
	auth     Auth
	chain    http.RoundTripper
	wire     http.RoundTripper
	timeout  time.Duration
	maxBody  int64
	now      func() time.Time
	// nobodyCode is a second code, besides 2, that means "nothing found"; see WithNobodyCode.
	nobodyCode atomic.Int64

	base       http.RoundTripper
	hosts      HostPolicy
	middleware []Middleware
}

// Option configures a client.
type Option func(*Client) error

// WithCallTimeout limits one call, from signing to the end of the response.
func WithCallTimeout(d time.Duration) Option {
	return func(c *Client) error {
		if d <= 0 {
			return errors.New("call timeout: must be positive")
		}
		c.timeout = d
		return nil
	}
}

// WithMiddleware adds middleware around the calls, the first outermost. Later options add further
// inside.
func WithMiddleware(mw ...Middleware) Option {
	return func(c *Client) error {
		for _, m := range mw {
			if m == nil {
				return errors.New("middleware: must not be nil")
			}
		}
		c.middleware = append(c.middleware, mw...)
		return nil
	}
}

// WithBaseTransport replaces the transport under the wire layer, including the guard over hosts and
// addresses. A transport other than *http.Transport is assumed to have sent every request it was
// given.
func WithBaseTransport(rt http.RoundTripper) Option {
	return func(c *Client) error {
		if rt == nil {
			return errors.New("base transport: must not be nil")
		}
		c.base = rt
		return nil
	}
}

// WithHosts sets the hosts that may be called besides iCIMS's own, and their addresses. A refused
// host fails with a *[DialRefusedError] in the chain of the *[Error].
func WithHosts(policy HostPolicy) Option {
	return func(c *Client) error {
		c.hosts = policy
		return nil
	}
}

// WithMaxBody limits a response, in bytes.
func WithMaxBody(n int64) Option {
	return func(c *Client) error {
		if n <= 0 {
			return errors.New("maximum response: must be positive")
		}
		c.maxBody = n
		return nil
	}
}

// WithClock replaces the clock used to compute waits.
func WithClock(now func() time.Time) Option {
	return func(c *Client) error {
		if now == nil {
			return errors.New("clock: must not be nil")
		}
		c.now = now
		return nil
	}
}

// New returns a client for one customer. root is the origin of the API, for example
// https://api.icims.com. customer is the customer's instance number. Errors never contain a
// credential.
func New(root *url.URL, customer string, auth Auth, opts ...Option) (*Client, error) {
	switch {
	case root == nil || root.Host == "" || root.Scheme != "https" && root.Scheme != "http":
		return nil, errors.New("icims: API root: must be an http or https URL such as https://api.icims.com")
	case root.User != nil || root.RawQuery != "" || root.Fragment != "":
		return nil, errors.New("icims: API root: must not contain user, query or fragment")
	case !isNumber(customer):
		return nil, errors.New("icims: customer ID: must be the number of the iCIMS instance, digits only")
	case auth == nil:
		return nil, errors.New("icims: auth: missing; use Basic, HMAC or OAuth")
	}
	c := &Client{
		root:     &url.URL{Scheme: root.Scheme, Host: root.Host, Path: strings.TrimRight(root.Path, "/")},
		customer: customer,
		auth:     auth,
		timeout:  DefaultCallTimeout,
		maxBody:  DefaultMaxBody,
		now:      time.Now,
	}
	c.nobodyCode.Store(codeNotFound)
	for _, opt := range opts {
		if err := opt(c); err != nil {
			return nil, fmt.Errorf("icims: %w", err)
		}
	}
	var guard *dialGuard
	if c.base == nil {
		guard = &dialGuard{hosts: c.hosts}
		c.base = newTransport(guard)
	}
	c.wire = newWire(c.base, guard, c.maxBody)
	if b, ok := auth.(binder); ok {
		if err := b.bind(c.root, c.wire, c.timeout); err != nil {
			return nil, fmt.Errorf("icims: %w", err)
		}
	}
	c.chain = c.newChain()
	return c, nil
}

// newChain builds the layers in the order described in the package comment.
func (c *Client) newChain() http.RoundTripper {
	var rt http.RoundTripper = &authLayer{auth: c.auth, next: c.wire}
	rt = &deadlineLayer{timeout: c.timeout, next: rt}
	for _, v := range slices.Backward(c.middleware) {
		rt = v(rt)
	}
	return rt
}

// CloseIdleConnections closes idle connections of the pool.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.base.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 18 && strings.Trim(s, "0123456789") == ""
}
