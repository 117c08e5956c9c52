package icims

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// oauthAudience is the audience requested for every token (API sheet §2.2).
const oauthAudience = "https://api.icims.com/v1/"

// tokenURLs are the token endpoints by API host (API sheet §1, §2.2).
var tokenURLs = map[string]string{
	"api.icims.com":    "https://login.icims.com/oauth/token",
	"api-eu.icims.com": "https://login.icims.eu/oauth/token",
	"api-ca.icims.com": "https://login.icims.ca/oauth/token",
}

// OAuthOption configures OAuth.
type OAuthOption func(*oauth)

// OAuthTokenURL sets the token endpoint. The default is the endpoint of the API root's region.
func OAuthTokenURL(u string) OAuthOption {
	return func(a *oauth) { a.tokenURL = u }
}

// OAuthClock replaces the clock used for token expiry.
func OAuthClock(now func() time.Time) OAuthOption {
	return func(a *oauth) { a.now = now }
}

// OAuth authenticates with tokens of the client-credentials grant (API sheet §2.2). A token is
// cached until shortly before it expires, because iCIMS throttles token requests. Concurrent
// callers share one request. A token that the API refuses is replaced once. An OAuth belongs to one
// client. Its token requests bypass the middleware: they go to another host and do not count as API
// calls.
func OAuth(clientID, secret string, opts ...OAuthOption) Auth {
	a := &oauth{now: time.Now}
	a.form = func() string {
		return url.Values{
			"grant_type": {"client_credentials"}, "client_id": {clientID},
			"client_secret": {secret}, "audience": {oauthAudience},
		}.Encode()
	}
	for _, opt := range opts {
		opt(a)
	}
	return a
}

type oauth struct {
	// A closure, so that printing the struct never prints the secret.
	form     func() string
	tokenURL string
	now      func() time.Time

	wire    http.RoundTripper
	timeout time.Duration

	flight singleflight.Group
	mu     sync.Mutex
	token  func() string // nil: none
	expiry time.Time
}

func (a *oauth) bind(root *url.URL, wire http.RoundTripper, timeout time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wire != nil {
		return errors.New("oauth: already used by another client; create one per client")
	}
	if a.tokenURL == "" {
		a.tokenURL = TokenURLOf(root)
	}
	u, err := url.Parse(a.tokenURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("oauth: unknown token URL for this API root; set one with OAuthTokenURL")
	}
	a.wire, a.timeout = wire, timeout
	return nil
}

func (a *oauth) Authorize(req *http.Request, _ []byte) error {
	token, ok := a.cached()
	if !ok {
		// The token request must outlive a caller that is canceled, since others may be waiting for
		// it.
		done := a.flight.DoChan("token", func() (any, error) {
			if token, ok := a.cached(); ok {
				return token, nil
			}
			return a.fetch()
		})
		select {
		case <-req.Context().Done():
			return req.Context().Err()
		case r := <-done:
			if r.Err != nil {
				return r.Err
			}
			token, _ = r.Val.(func() string)
		}
	}
	req.Header.Set("Authorization", "Bearer "+token())
	return nil
}

func (a *oauth) cached() (func() string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == nil || !a.now().Before(a.expiry) {
		return nil, false
	}
	return a.token, true
}

// renew drops the refused token, unless it has been replaced since.
func (a *oauth) renew(authorization string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != nil && "Bearer "+a.token() == authorization {
		a.token = nil
	}
	return authorization != ""
}

// earlyExpiry returns how long before its expiry a token stops being used.
func earlyExpiry(lifetime time.Duration) time.Duration {
	return min(lifetime/10, 5*time.Minute)
}

// shortLifetime is assumed for a token without a lifetime.
const shortLifetime = time.Hour

func (a *oauth) fetch() (func() string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), a.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.tokenURL, strings.NewReader(a.form()))
	if err != nil {
		return nil, tokenError(0, nil, a.now(), err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := a.wire.RoundTrip(req)
	if err != nil {
		return nil, tokenError(0, nil, a.now(), err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 256<<10))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, tokenError(resp.StatusCode, resp.Header, a.now(), nil, body...)
	}
	var doc struct {
		Token string      `json:"access_token"`
		Type  string      `json:"token_type"`
		Life  json.Number `json:"expires_in"`
	}
	if err != nil || json.Unmarshal(body, &doc) != nil || doc.Token == "" || strings.ContainsAny(doc.Token, " \r\n") ||
		doc.Type != "" && !strings.EqualFold(doc.Type, "bearer") {
		return nil, tokenError(resp.StatusCode, resp.Header, a.now(), errors.New("no usable token in the response"))
	}
	lifetime := shortLifetime
	if s, err := doc.Life.Float64(); err == nil && s > 0 && s < 1e9 {
		lifetime = time.Duration(s * float64(time.Second))
	}
	token := func() string { return doc.Token }
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token, a.expiry = token, a.now().Add(lifetime-earlyExpiry(lifetime))
	return token, nil
}

// tokenError classifies a failure of the token endpoint. Its text contains nothing of the response.
func tokenError(status int, h http.Header, now time.Time, err error, body ...byte) error {
	e := &AuthError{Class: ClassRetry, Reason: ReasonTokenServer, Status: status, Err: discreet(err)}
	if _, refused := errors.AsType[*DialRefusedError](err); refused {
		e.Reason = ReasonAddressRefused
	}
	// A page of a proxy in front of the host says nothing about the client.
	var doc struct {
		Error string `json:"error"`
	}
	own := json.Unmarshal(body, &doc) == nil && doc.Error != ""
	denied := bytes.Contains(body, []byte(`"access_denied"`)) || bytes.Contains(body, []byte(`"invalid_client"`)) ||
		bytes.Contains(body, []byte(`"unauthorized_client"`))
	switch {
	case status == http.StatusTooManyRequests:
		e.Class, e.Reason, e.RetryAfter = ClassDefer, ReasonTokenThrottled, tokenPause
		if d, ok := parseRetryAfter(h.Get("Retry-After"), now); ok {
			e.RetryAfter = d
		}
	case !own:
	case status == http.StatusUnauthorized, status >= 400 && status < 500 && denied:
		e.Class, e.Reason = ClassCredentials, ReasonCredentials
	case status == http.StatusForbidden:
		e.Class, e.Reason = ClassAccess, ReasonAccessDenied
	case status >= 300 && status < 500 && status != http.StatusRequestTimeout:
		e.Class = ClassPermanent
	}
	return e
}

// tokenPause is the window in which iCIMS counts token requests.
const tokenPause = 10 * time.Minute
