package connections_test

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(redistest.Main(m)) }

const password = "hunter2-hunter2"

func good(customer string) store.Connection {
	return store.Connection{
		Customer: customer, Username: "export-user", Password: password,
		PortalURLs: "https://api.icims.com/customers/" + customer + "/search/portals/1?staleness=0",
	}
}

func hosts(t *testing.T, setting string) icims.HostPolicy {
	t.Helper()
	policy, err := icims.ParseHostPolicy(setting)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const simulator = "http://127.0.0.1:8899"
	for name, c := range map[string]struct {
		change func(*store.Connection)
		want   string // setting and code; "" where nothing is wrong
		says   string // the remedy
	}{
		"as usual": {change: func(*store.Connection) {}},
		"several portals, as pasted": {change: func(c *store.Connection) {
			c.PortalURLs += " ,\n" + strings.Replace(c.PortalURLs, "portals/1", "portals/22", 1)
		}},
		"an allowed host": {change: func(c *store.Connection) { c.PortalURLs = simulator + "/customers/1234/search/portals/1" }},
		"HMAC":            {change: func(c *store.Connection) { c.Auth = store.AuthHMAC }},
		"OAuth in the EU": {change: func(c *store.Connection) {
			c.Auth = store.AuthOAuth
			c.PortalURLs = strings.Replace(c.PortalURLs, "api.", "api-eu.", 1)
		}},
		"OAuth with an allowed host": {change: func(c *store.Connection) { c.Auth = store.AuthOAuth; c.TokenURL = simulator + "/oauth/token" }},
		"the capability to export":   {change: func(c *store.Connection) { c.Capabilities = "export" }},
		"no customer":                {func(c *store.Connection) { c.Customer = "acme" }, "customer wrong_customer", "digits only"},
		"no portal":                  {func(c *store.Connection) { c.PortalURLs = " " }, "portal_urls missing", "{jobPortalId}"},
		"a placeholder left in a URL": {func(c *store.Connection) {
			c.PortalURLs = strings.Replace(c.PortalURLs, "portals/1", "portals/{jobPortalId}", 1)
		}, "portal_urls placeholder", "replace {customerId}"},
		"another customer's portal": {func(c *store.Connection) { c.PortalURLs = strings.Replace(c.PortalURLs, "1234", "99", 1) }, "portal_urls other_customer", "correct one of them"},
		"a host that is not iCIMS": {func(c *store.Connection) {
			c.PortalURLs = strings.Replace(c.PortalURLs, "icims.com", "icims.example", 1)
		}, "portal_urls not_icims", "api-eu.icims.com"},
		"a simulator not allowed":   {func(c *store.Connection) { c.PortalURLs = "http://localhost/customers/1234/search/portals/1" }, "portal_urls not_https", "ICIMS_EXPORT_ICIMS_HOSTS"},
		"portals of two regions":    {func(c *store.Connection) { c.PortalURLs += "," + strings.Replace(c.PortalURLs, "api.", "api-ca.", 1) }, "portal_urls mixed_hosts", "second connection"},
		"an unknown authentication": {func(c *store.Connection) { c.Auth = "ntlm" }, "auth unknown_auth", "oauth"},
		"no user":                   {func(c *store.Connection) { c.Username = " " }, "username missing", "API user"},
		"user and password in one":  {func(c *store.Connection) { c.Username = "user:secret" }, "username colon", "only the name"},
		"a user with a line break":  {func(c *store.Connection) { c.Username = "user\n" }, "username control_character", "remove"},
		"no password":               {func(c *store.Connection) { c.Password = "" }, "password missing", "client secret"},
		"a password of two lines":   {func(c *store.Connection) { c.Password = "a\nb" }, "password several_lines", "only the password"},
		"a token URL elsewhere": {func(c *store.Connection) {
			c.Auth = store.AuthOAuth
			c.TokenURL = "https://login.example.com/oauth/token"
		}, "token_url wrong_token_url", "login.icims.com"},
		"a token URL without OAuth": {func(c *store.Connection) { c.TokenURL = simulator + "/oauth/token" }, "token_url not_oauth", "remove it"},
		"OAuth without a known sign-in": {func(c *store.Connection) {
			c.Auth = store.AuthOAuth
			c.PortalURLs = simulator + "/customers/1234/search/portals/1"
		}, "token_url missing", "URL of the token endpoint"},
		"an unknown capability":        {func(c *store.Connection) { c.Capabilities = "export,dance" }, "capabilities unknown_capability", "export"},
		"a field's label for its name": {func(c *store.Connection) { c.LinkedInField = "LinkedIn URL" }, "linkedin_field not_a_field_name", "field51001"},
		"a collection's label":         {func(c *store.Connection) { c.Fields.Education.School = "School" }, "fields.education.school not_a_field_name", "lower case"},
		"a status of two lines":        {func(c *store.Connection) { c.Status.Value = "a\nb" }, "status not_a_text", "one line"},
		"a domain with an at":          {func(c *store.Connection) { c.DummyDomain = "no@example.com" }, "dummy_email_domain not_a_domain", "seekout.example.com"},
		"a negative limit":             {func(c *store.Connection) { c.Limits.InFlight = -1 }, "limits.in_flight out_of_range", "default"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := good("1234")
			c.change(&conn)
			err := connections.Check(conn, hosts(t, simulator))
			if c.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			invalid, ok := errors.AsType[*connections.InvalidError](err)
			if !ok || invalid.Problems[0].Setting+" "+invalid.Problems[0].Code != c.want || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s with %q", err, c.want, c.says)
			}
			if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "secret\"") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestCheckTellsAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	err := connections.Check(store.Connection{Customer: "1234"}, hosts(t, ""))
	invalid, _ := errors.AsType[*connections.InvalidError](err)
	if invalid == nil || len(invalid.Problems) != 3 {
		t.Errorf("user, password and portals are missing: %v", err)
	}
}

func TestTheOldPasswordGoesNowhereElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(*store.Connection)
		refused bool
	}{
		"other limits":        {func(c *store.Connection) { c.Limits.Burst = 3 }, false},
		"another portal":      {func(c *store.Connection) { c.PortalURLs = strings.Replace(c.PortalURLs, "portals/1", "portals/2", 1) }, false},
		"the default by name": {func(c *store.Connection) { c.Auth = store.AuthBasic }, false},
		"another host": {func(c *store.Connection) {
			c.PortalURLs = strings.Replace(c.PortalURLs, "https://api.icims.com", "http://localhost:1", 1)
		}, true},
		"another type of authentication": {func(c *store.Connection) { c.Auth = store.AuthHMAC }, true},
		"another host, with a password": {func(c *store.Connection) {
			c.PortalURLs, c.Password = strings.Replace(c.PortalURLs, "https://api.icims.com", "http://localhost:1", 1), "next"
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := good("1234")
			next.Password = ""
			c.change(&next)
			err := connections.CheckEdit(good("1234"), next, hosts(t, "http://localhost:1"))
			if refused := err != nil; refused != c.refused {
				t.Errorf("refused: %t (%v), want %t", refused, err, c.refused)
			}
		})
	}
}

func TestRegion(t *testing.T) {
	t.Parallel()
	policy := hosts(t, "http://localhost:1")
	for host, want := range map[string]string{
		"https://api.icims.com": "US", "https://API-EU.icims.com:443": "EU", "https://api-ca.icims.com": "CA", "http://localhost:1": "other",
	} {
		c := good("1234")
		c.PortalURLs = host + "/customers/1234/search/portals/1"
		if got := connections.Region(c, policy); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}
