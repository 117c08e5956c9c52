package icims

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	hmacScheme        = "x-icims-v1-hmac-sha256"
	hmacDateHeader    = "x-icims-date"
	hmacContentHeader = "x-icims-content-sha256"
	hmacDateLayout    = "2006-01-02T15:04:05-0700"
)

// HMACOption configures HMAC.
type HMACOption func(*hmacAuth)

// HMACClock replaces the clock for the signature's date.
func HMACClock(now func() time.Time) HMACOption {
	return func(a *hmacAuth) { a.now = now }
}

// HMAC signs each request with a shared key by the scheme x-icims-v1-hmac-sha256 (API sheet §2.3).
func HMAC(user string, key []byte, opts ...HMACOption) Auth {
	key = slices.Clone(key)
	a := &hmacAuth{
		user: user,
		sign: func(text string) string { return hmacHex(key, text) },
		now:  time.Now,
	}
	for _, opt := range opts {
		opt(a)
	}
	return a
}

type hmacAuth struct {
	user string
	// A closure, so that printing the struct never prints the key.
	sign func(string) string
	now  func() time.Time
}

func (a *hmacAuth) Authorize(req *http.Request, body []byte) error {
	date := a.now().UTC().Format(hmacDateLayout)
	req.Header.Set(hmacDateHeader, date)
	req.Header.Set(hmacContentHeader, sha256Hex(body))

	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	signed := []struct{ name, value string }{
		{"host", host},
		{hmacContentHeader, req.Header.Get(hmacContentHeader)},
		{hmacDateHeader, date},
	}
	if v := req.Header.Get("Content-Type"); v != "" {
		signed = append(signed, struct{ name, value string }{"content-type", v})
	}
	names, lines := make([]string, 0, len(signed)), make([]string, 0, len(signed))
	for _, h := range signed {
		names = append(names, h.name)
		lines = append(lines, h.name+":"+h.value)
	}
	slices.Sort(names)
	slices.Sort(lines)

	parts := slices.Concat([]string{req.Method, requestPath(req), req.URL.RawQuery}, lines, []string{"", strings.Join(names, ";")})
	canonical := strings.Join(parts, "\n")
	signature := a.sign(hmacScheme + "\n" + date + "\n" + sha256Hex([]byte(canonical)))
	req.Header.Set("Authorization", hmacScheme+" user="+a.user+",signedheaders="+strings.Join(names, ";")+",signature="+signature)
	return nil
}

// requestPath returns the path as sent on the wire.
func requestPath(req *http.Request) string {
	if p := req.URL.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func hmacHex(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
