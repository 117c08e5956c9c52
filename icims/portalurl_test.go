package icims

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goodPortal = "https://api.icims.com/customers/1234/search/portals/101?staleness=0"

func simulatorPolicy(t testing.TB) HostPolicy {
	t.Helper()
	p, err := ParseHostPolicy(" http://127.0.0.1:8899 ,, http://[::1]:80/")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParsePortalURLs(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"one", goodPortal, []string{goodPortal}},
		{"two, with blanks and a comma too many", " " + goodPortal + " ,\n https://api.icims.com/customers/1234/search/portals/jobs,", []string{goodPortal, "https://api.icims.com/customers/1234/search/portals/jobs?staleness=0"}},
		{"one twice, in two spellings", goodPortal + ",HTTPS://API.icims.com:443/customers/1234/search/portals/101/", []string{goodPortal}},
		{"in Europe", "https://api-eu.icims.com/customers/1234/search/portals/101", []string{"https://api-eu.icims.com/customers/1234/search/portals/101?staleness=0"}},
		{"in Canada", "https://api-ca.icims.com/customers/1234/search/portals/101", []string{"https://api-ca.icims.com/customers/1234/search/portals/101?staleness=0"}},
		{"a portal by a name of two words", "https://api.icims.com/customers/1234/search/portals/My%20Jobs", []string{"https://api.icims.com/customers/1234/search/portals/My%20Jobs?staleness=0"}},
		{"an origin that is allowed", "http://127.0.0.1:8899/customers/1234/search/portals/101", []string{"http://127.0.0.1:8899/customers/1234/search/portals/101?staleness=0"}},
		{"an IPv6 origin that is allowed", "http://[::1]/customers/1234/search/portals/101", []string{"http://[::1]/customers/1234/search/portals/101?staleness=0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := ParsePortalURLs(tt.text, simulatorPolicy(t))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range list {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParsePortalURLsRefuses(t *testing.T) {
	tests := []struct {
		name, text, code, says string
		index                  int
	}{
		{"nothing", " , \n", "missing", "enter at least one", 0},
		{"the form itself", portalForm, "placeholder", "replace {customerId} and {jobPortalId}", 1},
		{"a placeholder for the portal", "https://api.icims.com/customers/1234/search/portals/{jobPortalId}?staleness=0", "placeholder", "replace", 1},
		{"an escaped placeholder", "https://api.icims.com/customers/1234/search/portals/%7BjobPortalId%7D", "placeholder", "replace", 1},
		{"a placeholder in other brackets", "https://api.icims.com/customers/<id>/search/portals/1", "placeholder", "replace", 1},
		{"a placeholder without brackets", "https://api.icims.com/customers/1234/search/portals/jobPortalId", "placeholder", "replace", 1},
		{"no URL", "101", "malformed", "use the form", 1},
		{"a URL without a scheme", "api.icims.com/customers/1234/search/portals/101", "malformed", "use the form", 1},
		{"a password", "https://user:s3cret@api.icims.com/customers/1234/search/portals/101", "user_in_url", "remove the user and password", 1},
		{"http", "http://api.icims.com/customers/1234/search/portals/101", "not_https", "start with https://", 1},
		{"another host", "https://api.icims.com.example.com/customers/1234/search/portals/101", "not_icims", "use api.icims.com", 1},
		{"the portal's public page", "https://jobs-acme.icims.com/jobs/1709", "not_icims", "use api.icims.com", 1},
		{"another port", "https://api.icims.com:8443/customers/1234/search/portals/101", "not_icims", "use api.icims.com", 1},
		{"an allowed host over another scheme", "https://127.0.0.1:8899/customers/1234/search/portals/101", "not_icims", "ICIMS_EXPORT_ICIMS_HOSTS", 1},
		{"another path", "https://api.icims.com/customers/1234/search/people", "wrong_path", "lower case", 1},
		{"a path in upper case", "https://api.icims.com/Customers/1234/search/portals/101", "wrong_path", "lower case", 1},
		{"a path with more to it", "https://api.icims.com/customers/1234/search/portals/101/filters", "wrong_path", "lower case", 1},
		{"a customer that is no number", "https://api.icims.com/customers/acme/search/portals/101", "wrong_customer", "digits only", 1},
		{"a portal that leads elsewhere", "https://api.icims.com/customers/1234/search/portals/..%2Fpeople", "wrong_portal", "one job portal", 1},
		{"a portal without a name", "https://api.icims.com/customers/1234/search/portals//", "wrong_portal", "one job portal", 1},
		{"a filter", "https://api.icims.com/customers/1234/search/portals/101?searchJson=x", "extra_parameters", "only ?staleness=0", 1},
		{"a fragment", goodPortal + "#x", "extra_parameters", "only ?staleness=0", 1},
		{"two regions", goodPortal + ",https://api-eu.icims.com/customers/1234/search/portals/1", "mixed_hosts", "same host", 2},
		{"two customers", goodPortal + ",https://api.icims.com/customers/99/search/portals/1", "mixed_customers", "one customer", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := ParsePortalURLs(tt.text, simulatorPolicy(t))
			e, ok := errors.AsType[*PortalURLError](err)
			if !ok {
				t.Fatalf("got %v, %v", list, err)
			}
			if e.Code != tt.code || e.Index != tt.index || !strings.Contains(e.Error(), tt.says) {
				t.Errorf("got %d %s: %v, want %d %s and %q", e.Index, e.Code, e, tt.index, tt.code, tt.says)
			}
			if strings.Contains(e.Error(), "s3cret") {
				t.Error("the password shows")
			}
		})
	}
}

func TestOnlyIcimsIsAllowedByDefault(t *testing.T) {
	if _, err := ParsePortalURLs("http://127.0.0.1:8899/customers/1234/search/portals/101", HostPolicy{}); err == nil {
		t.Error("a local origin is allowed without a setting")
	}
	if _, err := ParsePortalURLs(goodPortal, HostPolicy{}); err != nil {
		t.Error(err)
	}
}

func TestParsePortalURLsOf(t *testing.T) {
	if _, err := ParsePortalURLsOf("1234", goodPortal, HostPolicy{}); err != nil {
		t.Error(err)
	}
	_, err := ParsePortalURLsOf("99", goodPortal, HostPolicy{})
	if e, ok := errors.AsType[*PortalURLError](err); !ok || e.Code != "other_customer" {
		t.Errorf("got %v", err)
	}
}

func TestParseHostPolicyRefuses(t *testing.T) {
	for _, s := range []string{"127.0.0.1:8899", "ftp://x", "https://u:p@x", "https://x/path", "https://x?q", "https://x#f", "https://"} {
		if _, err := ParseHostPolicy(s); err == nil || !strings.Contains(err.Error(), "ICIMS_EXPORT_ICIMS_HOSTS") {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func FuzzParsePortalURLs(f *testing.F) {
	f.Add(goodPortal)
	f.Add(portalForm + "," + goodPortal)
	f.Add("http://127.0.0.1:8899/customers/1/search/portals/a%20b,https://u:p@api.icims.com/")
	f.Add("http://[::1]/customers/1/search/portals/x")
	policy := simulatorPolicy(f)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParsePortalURLs(text, policy)
		if err != nil {
			if _, ok := errors.AsType[*PortalURLError](err); !ok || list != nil {
				t.Errorf("got %v, %v", list, err)
			}
			return
		}
		var written []string
		for _, p := range list {
			if !policy.Allows(p.Root) || !isNumber(p.Customer) || p.Root.User != nil || p.Root.Path != "" || p.Customer != list[0].Customer {
				t.Errorf("accepted %v", p)
			}
			written = append(written, p.String())
		}
		again, err := ParsePortalURLs(strings.Join(written, ","), policy)
		if err != nil || len(again) != len(list) {
			t.Errorf("%q is not read again: %v", written, err)
		}
	})
}
