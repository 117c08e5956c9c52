package icims

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The vectors were computed with openssl from the formulas of API sheet §2.3.
func TestHMACVectors(t *testing.T) {
	key := []byte("s3cr3t-key")
	clock := HMACClock(func() time.Time { return time.Date(2017, 10, 18, 16, 53, 40, 0, time.FixedZone("", 2*3600)) })
	tests := []struct {
		name, method, url, body string
		canonical, header       string
	}{
		{
			name: "a read", method: "GET", url: "https://api.icims.com/customers/1234/people/2?fields=firstname,lastname",
			canonical: "GET\n/customers/1234/people/2\nfields=firstname,lastname\n" +
				"host:api.icims.com\n" +
				"x-icims-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n" +
				"x-icims-date:2017-10-18T14:53:40+0000\n\n" +
				"host;x-icims-content-sha256;x-icims-date",
			header: "x-icims-v1-hmac-sha256 user=joe,signedheaders=host;x-icims-content-sha256;x-icims-date,signature=e54558de4de82c023edac7e5c984198791e29d2094d91dc33e0517e3d4168ac8",
		},
		{
			name: "a write", method: "POST", url: "https://api.icims.com/customers/1234/people", body: `{"firstname":"Ana"}`,
			canonical: "POST\n/customers/1234/people\n\n" +
				"content-type:application/json\n" +
				"host:api.icims.com\n" +
				"x-icims-content-sha256:ec6f47edecd8b8383369fd2e0f2c9ae240512a49ab20dd75b08deb9333bf9d3a\n" +
				"x-icims-date:2017-10-18T14:53:40+0000\n\n" +
				"content-type;host;x-icims-content-sha256;x-icims-date",
			header: "x-icims-v1-hmac-sha256 user=joe,signedheaders=content-type;host;x-icims-content-sha256;x-icims-date,signature=968a24a9e78d1f05dadc787f42c641a0c924a8a33a14f946b71e7e52c0de88bf",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The same formulas, applied to the canonical request.
			sum := sha256.Sum256([]byte(tt.canonical))
			mac := hmac.New(sha256.New, key)
			fmt.Fprintf(mac, "x-icims-v1-hmac-sha256\n2017-10-18T14:53:40+0000\n%x", sum)
			if want := fmt.Sprintf("signature=%x", mac.Sum(nil)); !strings.HasSuffix(tt.header, want) {
				t.Fatalf("vector and formulas disagree: %s", want)
			}

			req, err := http.NewRequest(tt.method, tt.url, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.body != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			if err := HMAC("joe", key, clock).Authorize(req, []byte(tt.body)); err != nil {
				t.Fatal(err)
			}
			if got := req.Header.Get("Authorization"); got != tt.header {
				t.Errorf("got  %s\nwant %s", got, tt.header)
			}
			if got := req.Header.Get("X-Icims-Date"); got != "2017-10-18T14:53:40+0000" {
				t.Errorf("date %s", got)
			}
		})
	}
}

func TestHMACSignsWhatIsSent(t *testing.T) {
	key := []byte("key")
	c, mux := setup(t)
	c.auth = HMAC("joe", key)
	c.chain = c.newChain()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		digest := fmt.Sprintf("%x", sha256.Sum256(body))
		if r.Header.Get("X-Icims-Content-Sha256") != digest {
			t.Error("digest does not match the body")
		}
		canonical := strings.Join([]string{
			r.Method, basePath + r.URL.EscapedPath(), r.URL.RawQuery,
			"content-type:" + r.Header.Get("Content-Type"), "host:" + r.Host,
			"x-icims-content-sha256:" + digest, "x-icims-date:" + r.Header.Get("X-Icims-Date"), "",
			"content-type;host;x-icims-content-sha256;x-icims-date",
		}, "\n")
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "x-icims-v1-hmac-sha256\n%s\n%x", r.Header.Get("X-Icims-Date"), sha256.Sum256([]byte(canonical)))
		if !strings.HasSuffix(r.Header.Get("Authorization"), fmt.Sprintf("signature=%x", mac.Sum(nil))) {
			t.Errorf("signature does not match the request as it arrived")
		}
		w.WriteHeader(204)
	})
	if _, err := c.PatchPerson(t.Context(), 90210, personFields); err != nil {
		t.Fatal(err)
	}
}

// tokenServer issues and counts tokens: "token-1", "token-2", ...
func tokenServer(t *testing.T, lifetime int) (string, *atomic.Int32) {
	t.Helper()
	var n atomic.Int32
	srv := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := map[string]string{
			"grant_type": "client_credentials", "client_id": "id", "client_secret": "s&cret", "audience": "https://api.icims.com/v1/",
		}
		for name, v := range want {
			if r.PostFormValue(name) != v {
				t.Errorf("%s = %q, want %q", name, r.PostFormValue(name), v)
			}
		}
		fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":%d}`, n.Add(1), lifetime)
	}))
	return srv.URL + "/oauth/token", &n
}

func oauthClient(t *testing.T, auth Auth, accept func(token string) bool) (*Client, *atomic.Int32) {
	t.Helper()
	var seen atomic.Int32
	srv := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		if !accept(r.Header.Get("Authorization")) {
			w.Header().Set("X-Transaction", ownHeader.Get("X-Transaction"))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Location", "/customers/1234/people/90210")
		w.WriteHeader(201)
	}))
	return newClient(t, srv.URL, auth), &seen
}

func TestOAuth(t *testing.T) {
	whatever := func(string) bool { return true }
	t.Run("a write that failed is not sent again with another token", func(t *testing.T) {
		for _, status := range []int{400, 403, 404, 408, 429, 500, 503} {
			u, _ := tokenServer(t, 86400)
			var seen atomic.Int32
			srv := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				seen.Add(1)
				w.WriteHeader(status)
			}))
			c := newClient(t, srv.URL, OAuth("id", "s&cret", OAuthTokenURL(u)))
			if _, _, err := c.CreatePerson(t.Context(), Fields{"firstname": "x"}); err == nil || seen.Load() != 1 {
				t.Errorf("a create answered by %d was sent %d times", status, seen.Load())
			}
		}
	})
	t.Run("a token is kept until shortly before it expires", func(t *testing.T) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		u, tokens := tokenServer(t, 86400)
		c, _ := oauthClient(t, OAuth("id", "s&cret", OAuthTokenURL(u), OAuthClock(func() time.Time { return now })), whatever)
		steps := []struct {
			after  time.Duration
			tokens int32
		}{{0, 1}, {time.Hour, 1}, {22*time.Hour + 54*time.Minute, 1}, {2 * time.Minute, 2}}
		for _, s := range steps {
			now = now.Add(s.after)
			if _, _, err := c.CreatePerson(t.Context(), personFields); err != nil {
				t.Fatal(err)
			}
			if tokens.Load() != s.tokens {
				t.Errorf("%d tokens at %s, want %d", tokens.Load(), now, s.tokens)
			}
		}
	})
	t.Run("callers at the same time share one request", func(t *testing.T) {
		u, tokens := tokenServer(t, 86400)
		c, _ := oauthClient(t, OAuth("id", "s&cret", OAuthTokenURL(u)), whatever)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, _, err := c.CreatePerson(t.Context(), personFields); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if tokens.Load() != 1 {
			t.Errorf("%d tokens, want 1", tokens.Load())
		}
	})
	t.Run("a token that is refused is replaced once, through the middleware", func(t *testing.T) {
		u, tokens := tokenServer(t, 86400)
		c, seen := oauthClient(t, OAuth("id", "s&cret", OAuthTokenURL(u)), func(h string) bool { return h == "Bearer token-2" })
		var permits int
		c.middleware = []Middleware{func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) { permits++; return next.RoundTrip(r) })
		}}
		c.chain = c.newChain()
		if _, _, err := c.CreatePerson(t.Context(), personFields); err != nil {
			t.Fatal(err)
		}
		if tokens.Load() != 2 || seen.Load() != 2 || permits != 2 {
			t.Errorf("%d tokens, %d calls, %d permits, want 2 of each", tokens.Load(), seen.Load(), permits)
		}
	})
	t.Run("a second refusal means wrong credentials", func(t *testing.T) {
		u, tokens := tokenServer(t, 86400)
		c, seen := oauthClient(t, OAuth("id", "s&cret", OAuthTokenURL(u)), func(string) bool { return false })
		_, _, err := c.CreatePerson(t.Context(), personFields)
		if ClassOf(err) != ClassCredentials || tokens.Load() != 2 || seen.Load() != 2 {
			t.Errorf("got %v after %d tokens and %d calls", err, tokens.Load(), seen.Load())
		}
	})
	t.Run("a wrong password is not tried twice", func(t *testing.T) {
		c, seen := oauthClient(t, Basic("u", "p"), func(string) bool { return false })
		_, _, err := c.CreatePerson(t.Context(), personFields)
		if ClassOf(err) != ClassCredentials || seen.Load() != 1 {
			t.Errorf("got %v after %d calls", err, seen.Load())
		}
	})
	t.Run("a canceled caller does not affect the others' token", func(t *testing.T) {
		asked, release := make(chan struct{}), make(chan struct{})
		srv := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(asked) // a second request would panic
			<-release
			_, _ = io.WriteString(w, `{"access_token":"t","expires_in":"3600"}`)
		}))
		c, seen := oauthClient(t, OAuth("id", "s", OAuthTokenURL(srv.URL)), whatever)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() { _, _, err := c.CreatePerson(ctx, personFields); failed <- err }()
		<-asked
		cancel()
		if err := <-failed; ClassOf(err) != ClassRetry || ReasonOf(err) != ReasonCanceled {
			t.Errorf("got %v, want a retry of a canceled call", err)
		}
		close(release)
		if _, _, err := c.CreatePerson(t.Context(), personFields); err != nil || seen.Load() != 1 {
			t.Errorf("got %v after %d calls", err, seen.Load())
		}
	})
}

func TestTokenFailures(t *testing.T) {
	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		class  Class
		reason Reason
	}{
		{"wrong client", 401, nil, `{"error":"access_denied","error_description":"s3cret"}`, ClassCredentials, ReasonCredentials},
		{"wrong client with 403", 403, nil, `{"error":"access_denied"}`, ClassCredentials, ReasonCredentials},
		{"wrong client with 400", 400, nil, `{"error":"invalid_client"}`, ClassCredentials, ReasonCredentials},
		{"address not allowed", 403, nil, `{"error":"forbidden"}`, ClassAccess, ReasonAccessDenied},
		{"a page of a proxy", 403, nil, "<html>403</html>", ClassRetry, ReasonTokenServer},
		{"a proxy that wants a password", 401, nil, "", ClassRetry, ReasonTokenServer},
		{"too many tokens", 429, http.Header{"Retry-After": {"30"}}, "", ClassDefer, ReasonTokenThrottled},
		{"server error", 503, nil, "", ClassRetry, ReasonTokenServer},
		{"moved", 302, http.Header{"Location": {"https://elsewhere.example.com"}}, "", ClassRetry, ReasonTokenServer},
		{"no JSON", 200, nil, "<html>", ClassRetry, ReasonTokenServer},
		{"no token", 200, nil, `{"token_type":"Bearer"}`, ClassRetry, ReasonTokenServer},
		{"a token for another scheme", 200, nil, `{"access_token":"t","token_type":"mac"}`, ClassRetry, ReasonTokenServer},
		{"a token that would break the header", 200, nil, `{"access_token":"a\r\nb: c"}`, ClassRetry, ReasonTokenServer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := newServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), tt.header)
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			c, seen := oauthClient(t, OAuth("id", "s3cret", OAuthTokenURL(srv.URL)), func(string) bool { return true })
			_, _, err := c.CreatePerson(t.Context(), personFields)
			e := wantError(t, err)
			if e.Class != tt.class || e.Reason != tt.reason || e.Sent != SentNo || seen.Load() != 0 {
				t.Errorf("got %v after %d calls, want %s %s", e, seen.Load(), tt.class, tt.reason)
			}
			if (e.RetryAfter > 0) != (tt.class == ClassDefer) {
				t.Errorf("retry after %s", e.RetryAfter)
			}
		})
	}
}

func TestTokenHostFollowsTheRegion(t *testing.T) {
	for root, want := range map[string]string{
		"https://api.icims.com":    "https://login.icims.com/oauth/token",
		"https://api-eu.icims.com": "https://login.icims.eu/oauth/token",
		"https://API-CA.icims.com": "https://login.icims.ca/oauth/token",
	} {
		a := OAuth("id", "s").(*oauth)
		newClient(t, root, a)
		if a.tokenURL != want {
			t.Errorf("%s: %s, want %s", root, a.tokenURL, want)
		}
	}
	u := mustURL(t, "http://127.0.0.1:8899")
	if _, err := New(u, testCustomer, OAuth("id", "s")); err == nil || !strings.Contains(err.Error(), "OAuthTokenURL") {
		t.Errorf("got %v, want to be told about OAuthTokenURL", err)
	}
	shared := OAuth("id", "s", OAuthTokenURL("https://login.icims.com/oauth/token"))
	newClient(t, "https://api.icims.com", shared)
	if _, err := New(u, testCustomer, shared); err == nil {
		t.Error("one OAuth serves two clients")
	}
}

func TestAnAuthThatFails(t *testing.T) {
	broken := authFunc(func(*http.Request, []byte) error { return errSecret })
	c := newClient(t, "https://api.icims.com", broken, WithBaseTransport(answering(500, nil, "")))
	_, _, err := c.CreatePerson(t.Context(), personFields)
	e := wantError(t, err)
	if e.Class != ClassRetry || e.Reason != ReasonAuthUnavailable || e.Sent != SentNo || !errors.Is(err, errSecret) {
		t.Errorf("got %v, want a retry of a call that was not sent", e)
	}
}
