package icimstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

// credentials are the credentials of an account.
type credentials struct {
	username, password, hmacKey, clientID, clientSecret string
}

const hmacScheme = "x-icims-v1-hmac-sha256"

// unauthorized returns the recorded response to wrong credentials.
func unauthorized() answer {
	a := refuse(http.StatusUnauthorized, problem{code: codeCredentials, detail: "Invalid Username or Password credentials provided."})
	a.header = [][2]string{{"WWW-Authenticate", `Basic realm="iCIMS"`}, {"WWW-Authenticate", hmacScheme}}
	return a
}

// notAuthorized returns the response to a user who may not use the API at all.
func (t *Tenant) notAuthorized() answer {
	return refuse(t.behaviour.WebServicesStatus, problem{code: codeCredentials, detail: "The provided Username is not Authorized to access Web Services"})
}

// authentic checks the Authorization header.
func (c *call) authentic() bool {
	creds := c.tenant.creds.Load()
	scheme, rest, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "basic":
		user, password, ok := c.r.BasicAuth()
		return ok && user == creds.username && password == creds.password
	case "bearer":
		return c.sim.tokens.valid(rest, c.tenant, c.now)
	case hmacScheme:
		return creds.hmacKey != "" && c.signed(creds, rest)
	}
	return false
}

// signed verifies the HMAC signature of the canonical request.
func (c *call) signed(creds *credentials, params string) bool {
	var user, names, signature string
	for part := range strings.SplitSeq(params, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch k {
		case "user":
			user = v
		case "signedheaders":
			names = v
		case "signature":
			signature = v
		}
	}
	signed := strings.Split(names, ";")
	if user != creds.username || !slices.IsSorted(signed) ||
		!slices.Contains(signed, "host") || !slices.Contains(signed, "x-icims-date") {
		return false
	}
	date := c.r.Header.Get("X-Icims-Date")
	if !isoDate(date) {
		return false
	}
	sum := sha256.Sum256(c.body)
	if h := c.r.Header.Get("X-Icims-Content-Sha256"); h != "" && h != hex.EncodeToString(sum[:]) {
		return false
	}
	var canonical strings.Builder
	canonical.WriteString(c.r.Method + "\n" + c.r.URL.EscapedPath() + "\n" + c.r.URL.RawQuery + "\n")
	for _, name := range signed {
		if name != strings.ToLower(name) {
			return false
		}
		value := c.r.Header.Get(name)
		if name == "host" {
			value = c.r.Host
		}
		canonical.WriteString(name + ":" + value + "\n")
	}
	canonical.WriteString("\n" + names)
	request := sha256.Sum256([]byte(canonical.String()))
	mac := hmac.New(sha256.New, []byte(creds.hmacKey))
	mac.Write([]byte(hmacScheme + "\n" + date + "\n" + hex.EncodeToString(request[:])))
	return hmac.Equal([]byte(signature), []byte(hex.EncodeToString(mac.Sum(nil))))
}

func isoDate(s string) bool {
	for _, layout := range []string{"2006-01-02T15:04:05-0700", time.RFC3339} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}
