package icimstest

import (
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tokens are the OAuth tokens issued.
type tokens struct {
	mu     sync.Mutex
	issued map[string]token
	recent []time.Time // of the last ten minutes
}

type token struct {
	tenant  *Tenant
	expires time.Time
}

// audience is the audience that a client must request.
const audience = "https://api.icims.com/v1/"

func (ts *tokens) valid(s string, t *Tenant, now time.Time) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	tok, ok := ts.issued[s]
	return ok && tok.tenant == t && now.Before(tok.expires)
}

// RevokeTokens makes every OAuth token of the tenant invalid.
func (t *Tenant) RevokeTokens() {
	ts := &t.sim.tokens
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for k, tok := range ts.issued {
		if tok.tenant == t {
			delete(ts.issued, k)
		}
	}
}

func oauthError(status int, code, description string) answer {
	return answer{status: status, body: map[string]any{"error": code, "error_description": description}}
}

// oauthToken grants client credentials. It throttles more than 500 tokens in ten minutes.
func oauthToken(c *call) answer {
	media, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	form, err := url.ParseQuery(string(c.body))
	if media != "application/x-www-form-urlencoded" || err != nil {
		return oauthError(http.StatusBadRequest, "invalid_request", "The body must be form-encoded.")
	}
	if form.Get("grant_type") != "client_credentials" {
		return oauthError(http.StatusForbidden, "unauthorized_client", "Grant type not allowed for the client.")
	}
	if form.Get("audience") != audience {
		return oauthError(http.StatusForbidden, "access_denied", "Service not found.")
	}
	t := c.sim.tenantByClient(form.Get("client_id"), form.Get("client_secret"))
	if t == nil {
		return oauthError(http.StatusUnauthorized, "access_denied", "Unauthorized")
	}
	c.sim.calls.update(func() { c.log.Customer = t.cfg.Customer })
	ts := &c.sim.tokens
	ts.mu.Lock()
	defer ts.mu.Unlock()
	cut := c.now.Add(-10 * time.Minute)
	for len(ts.recent) > 0 && ts.recent[0].Before(cut) {
		ts.recent = ts.recent[1:]
	}
	if len(ts.recent) >= 500 {
		return oauthError(http.StatusTooManyRequests, "too_many_requests", "Global limit has been reached")
	}
	ts.recent = append(ts.recent, c.now)
	name := strings.Join([]string{"sim", strconv.FormatUint(c.rng.Uint64(), 36), strconv.FormatUint(c.rng.Uint64(), 36)}, ".")
	life := c.sim.cfg.TokenLifetime
	ts.issued[name] = token{tenant: t, expires: c.now.Add(life)}
	return ok(map[string]any{"access_token": name, "token_type": "Bearer", "expires_in": int(life / time.Second)})
}
