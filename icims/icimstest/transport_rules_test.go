package icimstest

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestTransportRules checks the HTTP rules that iCIMS enforces.
func TestTransportRules(t *testing.T) {
	b := open(t, calm())
	t.Run("HTTP/2 is 505", func(t *testing.T) {
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		transport := &http.Transport{Protocols: &protocols}
		defer transport.CloseIdleConnections()
		res, err := (&http.Client{Transport: transport}).Do(b.request("GET", "/customers/1234", ""))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 505 {
			t.Error(res.StatusCode)
		}
	})
	t.Run("a body without Content-Length is 411", func(t *testing.T) {
		req := b.request("POST", "/customers/1234/people", "")
		req.Body = io.NopCloser(strings.NewReader(ana + "}"))
		req.ContentLength = -1
		req.Header.Set("Content-Type", "application/json")
		if r := b.send(req); r.status != 411 || len(b.tenant.People()) > 0 {
			t.Errorf("status %d, people %v", r.status, b.tenant.People())
		}
	})
	t.Run("a body of another content type is 415", func(t *testing.T) {
		for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded"} {
			req := b.request("POST", "/customers/1234/people", ana+"}")
			req.Header.Set("Content-Type", media)
			if r := b.send(req); r.status != 415 {
				t.Errorf("%q: %d", media, r.status)
			}
		}
	})
	t.Run("the content type may name a charset", func(t *testing.T) {
		req := b.request("POST", "/customers/1234/people", ana+"}")
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
		if r := b.send(req); r.status != 201 {
			t.Error(r.status)
		}
	})
	for _, body := range []string{`{`, `[]`, `null`, `{} {}`, `"x"`} {
		t.Run("the body "+body+" is 400", func(t *testing.T) { b.must(400, "POST", "/people", body) })
	}
	t.Run("a body over the limit is 413", func(t *testing.T) {
		cfg := calm()
		cfg.MaxBody = 100
		open(t, cfg).must(413, "POST", "/people", ana+`,"middlename":"`+strings.Repeat("x", 100)+`"}`)
	})
	t.Run("paths are case-sensitive", func(t *testing.T) { b.must(404, "GET", "/People/1", "") })
	t.Run("a trailing slash is another path", func(t *testing.T) { b.must(404, "POST", "/people/", ana+"}") })
	t.Run("a known path with another method is 405", func(t *testing.T) { b.must(405, "PUT", "/people/1", "{}") })
	t.Run("addresses use the scheme that a proxy names", func(t *testing.T) {
		req := b.request("POST", "/customers/1234/people", ana+"}")
		req.Header.Set("X-Forwarded-Proto", "https")
		req.Host = "api.icims.com"
		if got := b.send(req).header.Get("Location"); !strings.HasPrefix(got, "https://api.icims.com/customers/1234/people/") {
			t.Error(got)
		}
	})
}
