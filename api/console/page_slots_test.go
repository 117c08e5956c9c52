package console

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/seekout/icims-export/api"
)

// slowly starts a form whose body does not arrive, and returns the response's status: 100 if the
// server waits for the body. The request lasts as long as the test.
func (r *rig) slowly(path, cookie string) int {
	r.t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(r.t.Context(), "tcp", r.server.Listener.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nSec-Fetch-Site: same-origin\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", path, conn.RemoteAddr(), cookie)
	if err != nil {
		r.t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	var status int
	if _, err := fmt.Sscanf(line, "HTTP/1.1 %d", &status); err != nil {
		r.t.Fatalf("%q: %v", line, err)
	}
	return status
}

// The owner of a session cookie can take few page slots, whether its key is valid or revoked.
func TestSlowFormsDoNotBlockPages(t *testing.T) {
	for name, c := range map[string]struct {
		path    string
		revoked bool
		want    int
	}{
		"log-ins with the cookie of a key":         {"/login", false, 8},
		"log-ins with the cookie of a revoked key": {"/login", true, 8},
		"another form of a key":                    {"/customers/1234/candidates", false, 10},
		"another form of a revoked key":            {"/customers/1234/candidates", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			const places = 40
			r := newRig(t, func(d *api.Deps, _ *Options) { d.Settings.MaxRequests = places })
			admin, p := r.person(api.ScopeAdmin), r.person(api.ScopeRead)
			home, err := url.Parse(r.server.URL)
			if err != nil {
				t.Fatal(err)
			}
			var cookies []string
			for _, cookie := range p.client.Jar.Cookies(home) {
				cookies = append(cookies, cookie.String())
			}
			if c.revoked {
				r.revokeKeysOf(api.ScopeRead)
			}
			waiting := 0
			for range places {
				if r.slowly(c.path, strings.Join(cookies, "; ")) == http.StatusContinue {
					waiting++
				}
			}
			if waiting != c.want {
				t.Errorf("%d forms are waited for, want %d", waiting, c.want)
			}
			admin.get("/").wants(t, http.StatusOK)
		})
	}
}

// revokeKeysOf revokes the rig's keys with a scope.
func (r *rig) revokeKeysOf(scope api.Scope) {
	r.t.Helper()
	keys, err := r.ledger.Access.APIKeys(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, k := range keys {
		if k.Name != "test "+string(scope) {
			continue
		}
		if _, err := r.ledger.Access.RevokeAPIKey(r.t.Context(), k.ID, r.now.Now()); err != nil {
			r.t.Fatal(err)
		}
	}
}
