package icimstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBasic(t *testing.T) {
	b := open(t, calm())
	wrong := map[string]func(*http.Request){
		"a wrong password":   func(r *http.Request) { r.SetBasicAuth("user", "Secret") },
		"a wrong user":       func(r *http.Request) { r.SetBasicAuth("User", "secret") },
		"no credentials":     func(r *http.Request) { r.Header.Del("Authorization") },
		"an unknown scheme":  func(r *http.Request) { r.Header.Set("Authorization", "Digest x") },
		"an invented bearer": func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") },
		"another customer":   func(r *http.Request) { r.URL.Path = "/customers/99" },
	}
	for name, change := range wrong {
		t.Run(name+" is 401 with code 6", func(t *testing.T) {
			req := b.request("GET", "/customers/1234", "")
			change(req)
			r := b.send(req)
			if r.status != 401 {
				t.Fatalf("status %d", r.status)
			}
			if diff := cmp.Diff([]string{"6 Invalid Username or Password credentials provided."}, r.problems(t, "errors")); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{`Basic realm="iCIMS"`, hmacScheme}, r.header.Values("WWW-Authenticate")); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("a changed password takes effect at once", func(t *testing.T) {
		b.must(200, "GET", "", "")
		b.tenant.SetPassword("new")
		b.must(401, "GET", "", "")
	})
}

func TestBlockedAddress(t *testing.T) {
	for _, status := range []int{403, 401} {
		cfg := calm()
		cfg.Behavior.BlockedIPStatus = status
		b := open(t, cfg)
		b.tenant.Block()
		b.must(status, "GET", "", "")
		b.tenant.Unblock()
		b.must(200, "GET", "", "")
	}
}

func TestMissingRight(t *testing.T) {
	for _, status := range []int{403, 404} {
		cfg := calm()
		cfg.Behavior.MissingRightStatus = status
		b := open(t, cfg)
		b.tenant.Deny("search.people")
		r := b.must(status, "POST", "/search/people", `{"filters":[`+byEmail("a@example.com")+`]}`)
		if got := r.header.Get("X-Error"); !strings.HasPrefix(got, "3:") {
			t.Error(got)
		}
		b.createAna("")
	}
}

func (b *bench) token(form string) reply {
	b.t.Helper()
	req, err := http.NewRequest("POST", b.url+"/oauth/token", strings.NewReader(form))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(req)
}

func TestOAuth(t *testing.T) {
	var now atomic.Int64
	now.Store(noon.Unix())
	cfg := calm()
	cfg.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	b := open(t, cfg, func(c *TenantConfig) { c.ClientID, c.ClientSecret = "id", "hush" })
	const form = "grant_type=client_credentials&client_id=id&client_secret=hush&audience=https%3A%2F%2Fapi.icims.com%2Fv1%2F"
	use := func(token string) int {
		req := b.request("GET", "/customers/1234", "")
		req.Header.Set("Authorization", "Bearer "+token)
		return b.send(req).status
	}
	got := b.token(form).json(t)
	token, _ := got["access_token"].(string)
	t.Run("client credentials get a bearer token for a day", func(t *testing.T) {
		if got["token_type"] != "Bearer" || got["expires_in"] != 86400.0 || use(token) != 200 {
			t.Error(got)
		}
	})
	for name, bad := range map[string]string{
		"a wrong secret":     strings.Replace(form, "hush", "x", 1),
		"a wrong audience":   strings.Replace(form, "v1", "v2", 1),
		"another grant type": strings.Replace(form, "client_credentials", "password", 1),
	} {
		t.Run(name+" gets none", func(t *testing.T) {
			if r := b.token(bad); r.status < 400 || r.json(t)["error"] == nil {
				t.Error(r.status)
			}
		})
	}
	t.Run("a token ends", func(t *testing.T) {
		now.Add(86400)
		if s := use(token); s != 401 {
			t.Error(s)
		}
	})
	t.Run("a token can be revoked", func(t *testing.T) {
		token := b.token(form).json(t)["access_token"].(string)
		b.tenant.RevokeTokens()
		if s := use(token); s != 401 {
			t.Error(s)
		}
	})
	t.Run("more than 500 tokens in ten minutes are throttled", func(t *testing.T) {
		now.Add(601)
		for range 500 {
			b.token(form)
		}
		if r := b.token(form); r.status != 429 {
			t.Error(r.status)
		}
		now.Add(601)
		if r := b.token(form); r.status != 200 {
			t.Error(r.status)
		}
	})
}

func TestHMAC(t *testing.T) {
	b := open(t, calm(), func(c *TenantConfig) { c.HMACKey = "key" })
	// sign signs like the recorded client: canonical request, string to sign.
	sign := func(req *http.Request, body, key string) {
		sum := sha256.Sum256([]byte(body))
		req.Header.Set("X-Icims-Content-Sha256", hex.EncodeToString(sum[:]))
		req.Header.Set("X-Icims-Date", "2026-03-30T12:00:00+0000")
		canonical := req.Method + "\n" + req.URL.Path + "\n" + req.URL.RawQuery + "\n" +
			"host:" + req.URL.Host + "\nx-icims-content-sha256:" + hex.EncodeToString(sum[:]) + "\nx-icims-date:2026-03-30T12:00:00+0000\n" +
			"\nhost;x-icims-content-sha256;x-icims-date"
		hash := sha256.Sum256([]byte(canonical))
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte("x-icims-v1-hmac-sha256\n2026-03-30T12:00:00+0000\n" + hex.EncodeToString(hash[:])))
		req.Header.Set("Authorization", "x-icims-v1-hmac-sha256 user=user,signedheaders=host;x-icims-content-sha256;x-icims-date,signature="+hex.EncodeToString(mac.Sum(nil)))
	}
	const body = ana + "}"
	signed := func(change func(*http.Request)) int {
		req := b.request("POST", "/customers/1234/people?x=1", body)
		sign(req, body, "key")
		if change != nil {
			change(req)
		}
		return b.send(req).status
	}
	t.Run("a signed call is accepted", func(t *testing.T) {
		if s := signed(nil); s != 201 {
			t.Error(s)
		}
	})
	t.Run("blanks after the commas are allowed", func(t *testing.T) {
		if s := signed(func(r *http.Request) {
			r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), ",", ", "))
		}); s != 201 {
			t.Error(s)
		}
	})
	for name, change := range map[string]func(*http.Request){
		"another key":   func(r *http.Request) { sign(r, body, "other") },
		"another body":  func(r *http.Request) { sign(r, "{}", "key") },
		"another query": func(r *http.Request) { r.URL.RawQuery = "x=2" },
		"another user": func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "user=user", "user=eve", 1))
		},
		"no date": func(r *http.Request) { r.Header.Del("X-Icims-Date") },
		"unsorted headers": func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "host;x-icims-content-sha256", "x-icims-content-sha256;host", 1))
		},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if s := signed(change); s != 401 {
				t.Error(s)
			}
		})
	}
}
