package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
)

func TestRevokedAndExpiredKeysAreRefused(t *testing.T) {
	r := newRig(t)
	made, token, err := r.Ledger.Access.NewAPIKey(t.Context(), store.APIKey{Name: "console", Scopes: []string{"read"}, Expires: r.now.Now().Add(time.Hour)}, r.now.Now())
	if err != nil {
		t.Fatal(err)
	}
	r.call(token, http.MethodGet, "/v1/whoami", nil).is(http.StatusOK, nil)
	r.now.Pass(time.Hour)
	r.call(token, http.MethodGet, "/v1/whoami", nil).problem(CodeUnauthenticated)
	r.now.Pass(-time.Minute)
	r.call(token, http.MethodGet, "/v1/whoami", nil).is(http.StatusOK, nil)
	if _, err := r.Ledger.Access.RevokeAPIKey(t.Context(), made.ID, r.now.Now()); err != nil {
		t.Fatal(err)
	}
	r.call(token, http.MethodGet, "/v1/whoami", nil).problem(CodeUnauthenticated)
}

func TestAuthorizationHeaderForms(t *testing.T) {
	r := newRig(t)
	key := r.key(ScopeRead)
	for header, want := range map[string]int{
		"Bearer " + key:                  http.StatusOK,
		"bearer  " + key + " ":           http.StatusOK,
		key:                              http.StatusUnauthorized,
		"Basic " + key:                   http.StatusUnauthorized,
		"Bearer":                         http.StatusUnauthorized,
		"Bearer " + key + " " + key:      http.StatusUnauthorized,
		"Bearer " + key + "=":            http.StatusUnauthorized,
		"Bearer " + strings.ToUpper(key): http.StatusUnauthorized,
	} {
		if a := r.call("", http.MethodGet, "/v1/whoami", nil, "Authorization", header); a.StatusCode != want {
			t.Errorf("%.12s…: %d", header, a.StatusCode)
		}
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/whoami", nil)
	req.Header["Authorization"] = []string{"Bearer " + key, "Bearer " + key}
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("two headers: %d", w.Code)
	}
	if a := r.call("", http.MethodGet, "/v1/whoami?access_token="+key, nil); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("in the address: %d", a.StatusCode)
	}
}

// Clients that try keys must wait. Clients with a valid key do not, even behind the same address.
func TestFailedLoginsAreLimitedByAddress(t *testing.T) {
	r := newRig(t)
	good, late := r.key(ScopeRead), r.key(ScopeRead)
	whoami := func(key string) *reply { return r.call(key, http.MethodGet, "/v1/whoami", nil) }
	whoami(good).is(http.StatusOK, nil)
	for range failuresAtOnce {
		whoami("ixk_abcdefgh234567ij_" + strings.Repeat("a", 52)).problem(CodeUnauthenticated)
	}
	if logged := strings.Count(r.log.String(), "many requests without a valid API key"); logged != 1 {
		t.Errorf("the log tells of it %d times", logged)
	}
	a := whoami("ixk_abcdefgh234567ij_" + strings.Repeat("b", 52))
	a.problem(CodeTooManyFailures)
	if wait, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || wait < 1 || wait > int(failureEach/time.Second) {
		t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
	}
	whoami(late).problem(CodeTooManyFailures) // valid, but not shown from this address before
	whoami(good).is(http.StatusOK, nil)
	whoami("").problem(CodeUnauthenticated)
	r.now.Pass(failureEach)
	whoami(late).is(http.StatusOK, nil)
	// Once the key is invalid, it does not bypass the limit.
	if _, err := r.Ledger.Access.RevokeAPIKey(t.Context(), strings.Split(good, "_")[1], r.now.Now()); err != nil {
		t.Fatal(err)
	}
	whoami(good).problem(CodeUnauthenticated)
	whoami(good).problem(CodeTooManyFailures)
}

func TestFailuresAreCountedByAddress(t *testing.T) {
	r := newRig(t, func(d *Deps) { d.Settings.TrustedProxies = []string{"10.0.0.0/8", "192.0.2.1", "fd00::/8"} })
	for name, tt := range map[string]struct{ remote, forwarded, want string }{
		"a caller":                            {"203.0.113.9:1234", "", "203.0.113.9"},
		"a caller who makes an address up":    {"203.0.113.9:1234", "198.51.100.1", "203.0.113.9"},
		"behind a proxy":                      {"10.1.2.3:1234", "198.51.100.1", "198.51.100.1"},
		"behind a proxy, with one made up":    {"10.1.2.3:1234", "198.51.100.77, 198.51.100.1", "198.51.100.1"},
		"behind two proxies":                  {"10.1.2.3:1234", "198.51.100.77, 198.51.100.1, 192.0.2.1", "198.51.100.1"},
		"a proxy itself":                      {"10.1.2.3:1234", "", "10.1.2.3"},
		"behind a proxy that writes nonsense": {"10.1.2.3:1234", "unknown", "10.1.2.3"},
		"a network of IPv6":                   {"[2001:db8:1:2:3:4:5:6]:1234", "", "2001:db8:1:2::/64"},
		"the same, behind a proxy":            {"[fd00::1]:1234", "2001:db8:1:2::7", "2001:db8:1:2::/64"},
		"IPv4 in the clothes of IPv6":         {"[::ffff:203.0.113.9]:1234", "", "203.0.113.9"},
		"a connection that is no network's":   {"@", "", "unknown"},
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		req.RemoteAddr = tt.remote
		if tt.forwarded != "" {
			req.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		if got := r.guards.addressOf(req); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestRequestsOfAKeyAreLimited(t *testing.T) {
	r := newRig(t, func(d *Deps) { d.Settings.KeyRate, d.Settings.KeyBurst = 0.5, 3 })
	one, other := r.key(ScopeRead), r.key(ScopeRead)
	whoami := func(key string) *reply { return r.call(key, http.MethodGet, "/v1/whoami", nil) }
	for range 3 {
		whoami(one).is(http.StatusOK, nil)
	}
	a := whoami(one)
	if a.problem(CodeRateLimited); a.Header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
	}
	whoami(other).is(http.StatusOK, nil)
	r.now.Pass(2 * time.Second)
	whoami(one).is(http.StatusOK, nil)
	whoami(one).problem(CodeRateLimited)
}

// One key cannot take all request slots. When all are taken, every caller gets an error.
func TestConcurrentRequestsAreLimited(t *testing.T) {
	r := newRig(t, func(d *Deps) { d.Settings.MaxRequests = 8 })
	p := r.withProbes()
	began, end := make(chan struct{}, 8), make(chan struct{})
	p.response = func(context.Context, *probeInput) (*probeOutput, error) {
		began <- struct{}{}
		<-end
		return &probeOutput{}, nil
	}
	ended := make(chan int, 8)
	hold := func(key string) {
		go func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.server.URL+probePath, strings.NewReader(`{"name":"a"}`))
			if err != nil {
				t.Error(err)
			}
			req.Header.Set("Authorization", "Bearer "+key)
			response, err := r.server.Client().Do(req)
			if err != nil {
				t.Error(err)
				ended <- 0
				return
			}
			response.Body.Close()
			ended <- response.StatusCode
		}()
		<-began
	}
	keys := []string{r.key(ScopeOperate), r.key(ScopeOperate), r.key(ScopeOperate), r.key(ScopeOperate)}
	hold(keys[0])
	hold(keys[0])
	r.call(keys[0], http.MethodGet, "/v1/whoami", nil).problem(CodeRateLimited)
	for _, key := range keys[1:] {
		r.call(key, http.MethodGet, "/v1/whoami", nil).is(http.StatusOK, nil)
		hold(key)
		hold(key)
	}
	r.call(keys[1], http.MethodGet, "/v1/whoami", nil).problem(CodeBusy)
	close(end)
	for range 8 {
		if status := <-ended; status != http.StatusOK {
			t.Errorf("a request that held a place got %d", status)
		}
	}
	r.call(keys[0], http.MethodGet, "/v1/whoami", nil).is(http.StatusOK, nil)
}

func TestUnreachableRedisIsReported(t *testing.T) {
	away := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	t.Cleanup(func() { away.Close() })
	r := newRigOn(t, away)
	for _, path := range []string{"/v1/whoami", "/healthz"} {
		a := r.call("ixk_abcdefgh234567ij_"+strings.Repeat("a", 52), http.MethodGet, path, nil)
		if a.problem(CodeUnavailable); a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: it does not say when to ask again", path)
		}
	}
}

func TestEveryAnswerHasSafeHeaders(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/v1/whoami", "/nowhere", "/healthz", "/openapi.yaml"} {
		a := r.call("", http.MethodGet, path, nil, "X-Request-Id", canary, "Origin", "https://example.com")
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Access-Control-Allow-Origin": "", "Server": "", "Strict-Transport-Security": "",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if id := a.Header.Get("X-Request-Id"); len(id) != 16 || id == canary {
			t.Errorf("%s: the request's id is %q", path, id)
		}
	}
}

// Behind a trusted TLS proxy, browsers are told to use TLS only.
func TestHSTSBehindATLSProxy(t *testing.T) {
	for name, c := range map[string]struct {
		trusted       []string
		forwarded     string
		wantsTLSAfter bool
	}{
		"a trusted proxy that had TLS":      {[]string{"127.0.0.1"}, "https", true},
		"a trusted proxy that had none":     {[]string{"127.0.0.1"}, "http", false},
		"somebody who only says so":         {nil, "https", false},
		"a trusted proxy that says nothing": {[]string{"127.0.0.1"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(d *Deps) { d.Settings.TrustedProxies = c.trusted })
			a := r.call("", http.MethodGet, "/openapi.yaml", nil, "X-Forwarded-Proto", c.forwarded)
			if got := a.Header.Get("Strict-Transport-Security"); (got != "") != c.wantsTLSAfter {
				t.Errorf("Strict-Transport-Security is %q", got)
			}
		})
	}
}

func TestUnknownPathsAndMethodsAreProblems(t *testing.T) {
	r := newRig(t)
	key := r.key(ScopeAdmin)
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/whoami/", "//v1/whoami", "/v1/./whoami", "/v1/../v1/whoami", "/V1/whoami", "/v1/whoami%2F", "/docs", "/schemas/Problem.json"} {
		r.call(key, http.MethodGet, path, nil).problem(CodeNoRoute)
	}
	for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodOptions, http.MethodTrace, "PROPFIND"} {
		if a := r.call(key, method, "/v1/whoami", nil); a.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: Allow is %q", method, a.Header.Get("Allow"))
		} else {
			a.problem(CodeMethodNotAllowed)
		}
	}
	r.call(key, http.MethodGet, "/v1/whoami", nil, "X-Long", strings.Repeat("x", longestHeaders)).problem(CodeHeadersTooLarge)
	if a := r.call(key, http.MethodHead, "/v1/whoami", nil); a.StatusCode != http.StatusOK || len(a.body) != 0 {
		t.Errorf("HEAD: %d %s", a.StatusCode, a.body)
	}
}

// The log names the operation, not the path, which may contain a candidate's ID.
func TestLogHoldsNothingOfARequest(t *testing.T) {
	r := newRig(t)
	r.withProbes()
	key := r.key(ScopeOperate, mine)
	r.call(key, http.MethodPut, probePath+"?since="+canary, `{"name":"`+canary+`"}`, "If-Match", canary, "User-Agent", canary).problem(CodeInvalid)
	logged := r.log.String()
	for _, secret := range []string{canary, strings.Split(key, "_")[2], "/v1/"} {
		if strings.Contains(logged, secret) {
			t.Errorf("%s is in the log: %s", secret, logged)
		}
	}
	for _, want := range []string{`"op":"probe"`, `"status":422`, `"code":"invalid_request"`, `"customer":"1234"`, `"key":"` + strings.Split(key, "_")[1] + `"`} {
		if !strings.Contains(logged, want) {
			t.Errorf("%s is not in the log: %s", want, logged)
		}
	}
}

// certificate writes a self-signed certificate for localhost and returns its pool.
func certificate(t *testing.T, certFile, keyFile string) *x509.CertPool {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

func TestServeUsesTLSAndReloadsTheCertificate(t *testing.T) {
	r := newRig(t)
	folder := t.TempDir()
	certFile, keyFile := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	pool := certificate(t, certFile, keyFile)
	cert, err := ReadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, listener, cert, time.Second) }()
	get := func(pool *x509.CertPool, most uint16) (*http.Response, error) {
		transport := &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost", MaxVersion: most}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
		}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+listener.Addr().String()+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := (&http.Client{Transport: transport}).Do(req)
		if err == nil {
			response.Body.Close()
		}
		return response, err
	}
	response, err := get(pool, 0)
	if err != nil || response.StatusCode != http.StatusOK || response.ProtoMajor != 2 || response.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%+v, %v", response, err)
	}
	if _, err := get(pool, tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if err := os.WriteFile(certFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cert.Reread(); err == nil {
		t.Error("a broken certificate is taken up")
	}
	if _, err := get(pool, 0); err != nil {
		t.Errorf("after a broken one the old is not in use: %v", err)
	}
	next := certificate(t, certFile, keyFile)
	if err := cert.Reread(); err != nil {
		t.Fatal(err)
	}
	if _, err := get(next, 0); err != nil {
		t.Errorf("the new one is not in use: %v", err)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if !strings.Contains(r.log.String(), `"op":"healthz"`) {
		t.Error("nothing was served")
	}
}
